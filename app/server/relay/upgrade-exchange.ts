import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
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

/** A connection whose other half stopped answering is noticed, in milliseconds. */
const keepAliveDelayMs = 30_000;

/** A connection that another instance upgrades: two sockets, joined for as long as both live. */
export class UpgradeExchange implements Exchange {
  readonly kind = 'connection';
  readonly #request: IncomingMessage;
  readonly #client: Socket;
  readonly #head: Buffer;
  readonly #ending: Ending;
  #upstream: ClientRequest | undefined;
  #tunnel: Socket | undefined;

  constructor(request: IncomingMessage, client: Duplex, head: Buffer, ending: Ending) {
    this.#ending = ending;
    this.#request = request;
    this.#client = client as Socket;
    this.#head = head;
    this.#client.on('error', () => this.#client.destroy());
    this.#client.once('close', () => this.#cut());
  }

  get isOver(): boolean {
    return this.#client.destroyed;
  }

  /** Resolves with true when the other instance answers; with false when it can't be reached. */
  send(address: Address, envelope: string): Promise<boolean> {
    const passed = passedOn(this.#request.rawHeaders, true);
    const headers = [...passed, exchangeHeader, this.#ending.exchange, envelopeHeader, envelope];
    // A connection of its own: one that is kept alive may be closing just now.
    const upstream = openUpstream(this.#request, address, headers, false);
    this.#upstream = upstream;
    return new Promise((resolve) => {
      upstream.on('upgrade', (answer, tunnel, head) => {
        this.#join(answer, tunnel as Socket, head);
        resolve(true);
      });
      upstream.on('response', (answer) => {
        if (answer.statusCode === misdirectedStatus) {
          answer.destroy();
          resolve(false);
        } else {
          this.#refuse(answer);
          resolve(true);
        }
      });
      upstream.on('error', (error) => {
        if (!this.isOver && isUnreachable(error)) return resolve(false);
        if (!this.#tunnel) this.#client.destroy();
        resolve(true);
      });
      upstream.end();
    });
  }

  close(discard = false): void {
    if (discard) return void this.#cut();
    void this.#ending.ask().then((isSeenTo) => !isSeenTo && this.#cut());
  }

  #cut(): void {
    this.#upstream?.destroy();
    this.#tunnel?.destroy();
    this.#client.destroySoon();
  }

  #join(answer: IncomingMessage, tunnel: Socket, head: Buffer): void {
    this.#tunnel = tunnel;
    const client = this.#client;
    if (client.destroyed) return void tunnel.destroy();
    for (const socket of [client, tunnel]) {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveDelayMs);
    }
    // A pipe passes on an orderly end alone; here each side's close, for whatever cause, closes the other one.
    tunnel.on('error', () => tunnel.destroy());
    tunnel.once('close', () => client.destroySoon());
    client.write(headOf(answer, passedOn(answer.rawHeaders, true)));
    if (head.length > 0) client.write(head);
    if (this.#head.length > 0) tunnel.write(this.#head);
    tunnel.pipe(client);
    client.pipe(tunnel);
  }

  /** The other instance's answer is the client's, and the connection ends behind it. */
  #refuse(answer: IncomingMessage): void {
    const client = this.#client;
    if (client.destroyed) return;
    const headers = [...passedOn(answer.rawHeaders), 'Connection', 'close'];
    client.write(headOf(answer, headers));
    answer.on('error', () => client.destroy());
    answer.on('data', (chunk) => client.write(chunk));
    answer.on('end', () => client.destroySoon());
  }
}

function headOf({ statusCode, statusMessage }: IncomingMessage, headers: readonly string[]): string {
  let head = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let index = 0; index < headers.length; index += 2)
    head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}
