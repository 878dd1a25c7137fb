import { once } from 'node:events';
import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Address } from './directory.ts';
import { envelopeHeader } from './envelope.ts';
import {
  type Ending,
  type Exchange,
  isUnreachable,
  misdirectedStatus,
  openUpstream,
  passedOn,
} from './exchange.ts';
import { exchangeHeader } from './notice.ts';

/** Nothing moves for so long, in milliseconds: longer than any poll waits. */
const idleTimeoutMs = 90_000;

/** A request that another instance answers. */
export class RequestExchange implements Exchange {
  readonly kind = 'request';
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #agent: Agent;
  readonly #ending: Ending;
  #upstream: ClientRequest | undefined;
  #replied = false;

  constructor(request: IncomingMessage, response: ServerResponse, agent: Agent, ending: Ending) {
    this.#ending = ending;
    this.#request = request;
    this.#response = response;
    this.#agent = agent;
    response.once('close', () => this.#upstream?.destroy());
  }

  /** The client is gone, or was answered. */
  get isOver(): boolean {
    return this.#response.headersSent || this.#response.destroyed;
  }

  /**
   * Resolves with true when the other instance answers; with false when it can't be reached.
   * @param body the request's, in whole: a part of it that was sent could not be taken back
   */
  async send(address: Address, body: Buffer, envelope: string): Promise<boolean> {
    const upstream = openUpstream(this.#request, address, this.#headers(body, envelope), this.#agent);
    this.#upstream = upstream;
    // From its reply on, an error can come at any time.
    upstream.on('error', () => this.#replied && this.#cut());
    upstream.setTimeout(idleTimeoutMs, () => upstream.destroy(new Error('nothing moved')));
    upstream.end(body);
    try {
      const [reply] = (await once(upstream, 'response')) as [IncomingMessage];
      if (reply.statusCode === misdirectedStatus) return this.#discard(reply);
      this.#replied = true;
      this.#passBack(reply);
      return true;
    } catch (error) {
      if (this.isOver) return true;
      if (isUnreachable(error as NodeJS.ErrnoException)) return false;
      // The other instance may have done what was asked: to ask another time could do it twice.
      this.#response.destroy();
      return true;
    }
  }

  close(discard = false): void {
    if (discard) return void this.#cut();
    // All but polls and event streams are answered in a moment.
    if (this.#request.method !== 'GET') return;
    void this.#ending.ask().then((isSeenTo) => !isSeenTo && this.#cut());
  }

  #cut(): void {
    this.#upstream?.destroy();
    if (!this.#response.writableEnded) this.#response.destroy();
  }

  #headers(body: Buffer, envelope: string): string[] {
    const passed = passedOn(this.#request.rawHeaders);
    const hasLength = this.#request.headers['content-length'] !== undefined;
    if (body.length > 0 && !hasLength) passed.push('Content-Length', String(body.length));
    return [...passed, exchangeHeader, this.#ending.exchange, envelopeHeader, envelope];
  }

  #discard(reply: IncomingMessage): false {
    reply.resume();
    return false;
  }

  #passBack(reply: IncomingMessage): void {
    const response = this.#response;
    response.sendDate = false;
    response.writeHead(reply.statusCode ?? 502, reply.statusMessage, passedOn(reply.rawHeaders));
    // An event stream's first bytes can be long in coming, and its client waits for the headers.
    response.flushHeaders();
    reply.on('error', () => response.destroy());
    reply.pipe(response);
  }
}

/** @returns undefined when it is larger, or never comes whole */
export async function readBody(request: IncomingMessage, largest: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Else the connection would be gone, and with it the reply.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length;
      if (length > largest) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}
