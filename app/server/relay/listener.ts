import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { entryLeaves, markRelayed } from '../net/relayed.ts';
import { open } from './envelope.ts';
import { misdirectedStatus } from './exchange.ts';
import { exchangeHeader, noticeIn, noticeStatus } from './notice.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface RelayListenerOptions {
  readonly instance: string;
  readonly keys: SigningKeys;
  /** Answers what other instances send on: the server that clients reach. */
  readonly target: Server;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** Bytes of a request's headers: what a client may send, and the envelope. */
const largestHead = 18_432;
/** An idle connection of another instance stays open for so long, in milliseconds. */
const keepAliveMs = 60_000;

/**
 * Takes what other instances send on, and nothing else: each request carries a sealed envelope. No client needs to
 * reach this port, and who does gets nowhere.
 */
export class RelayListener {
  readonly #options: RelayListenerOptions;
  readonly #server: Server;
  /** What other instances relay at the moment, by their names for it. */
  readonly #exchanges = new Map<string, IncomingMessage>();

  constructor(options: RelayListenerOptions) {
    this.#options = options;
    this.#server = createServer({ maxHeaderSize: largestHead, keepAliveTimeout: keepAliveMs, noDelay: true });
    this.#server.on('request', (request, response) => void this.#take(request, response));
    this.#server.on('upgrade', (request, socket, head) => void this.#takeUpgrade(request, socket, head));
  }

  /** @returns the port */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!(await this.#open(request))) {
      return void response.writeHead(misdirectedStatus, { connection: 'close' }).end();
    }
    const leaving = noticeIn(request);
    if (leaving !== undefined) return void response.writeHead(this.#leaves(leaving)).end();
    this.#track(request, response);
    this.#options.target.emit('request', request, response);
  }

  #leaves(exchange: string): number {
    const request = this.#exchanges.get(exchange);
    return noticeStatus(request !== undefined && entryLeaves(request));
  }

  #track(request: IncomingMessage, until: ServerResponse | Duplex): void {
    const exchange = request.headers[exchangeHeader];
    if (typeof exchange !== 'string') return;
    this.#exchanges.set(exchange, request);
    until.once('close', () => this.#exchanges.delete(exchange));
  }

  async #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Until someone has taken it over, an error of the socket would be nobody's.
    const ignore = () => undefined;
    socket.on('error', ignore);
    const isSealed = await this.#open(request);
    socket.off('error', ignore);
    if (isSealed) {
      this.#track(request, socket);
      this.#options.target.emit('upgrade', request, socket, head);
    } else socket.end(`HTTP/1.1 ${misdirectedStatus} Misdirected Request\r\nConnection: close\r\n\r\n`);
  }

  async #open(request: IncomingMessage): Promise<boolean> {
    const envelope = await open(request, this.#options.instance, this.#options.keys);
    if (envelope) markRelayed(request, envelope);
    return envelope !== undefined;
  }
}
