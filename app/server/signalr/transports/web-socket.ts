import type { WebSocket } from 'ws';
import { OutgoingBytes, type Transport } from './transport.ts';

/** A client that does not answer the close is cut off, in milliseconds. */
const closingMs = 3_000;
/** Microsoft's client takes any other code for an error. */
const normalClosure = 1000;

export class WebSocketTransport implements Transport {
  readonly name = 'websocket';
  readonly takesBinary = true;
  readonly needsPings = true;
  readonly #socket: WebSocket;
  readonly #outgoing = new OutgoingBytes();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.once('close', () => this.#outgoing.release());
  }

  /** What the library answers by itself, such as pings, waits in its socket alone. */
  get waitingBytes(): number {
    return Math.max(this.#outgoing.count, this.#socket.bufferedAmount);
  }

  send(record: Buffer, isBinary: boolean): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(record, { binary: isBinary }, this.#outgoing.add(record.length));
  }

  writable(): Promise<void> {
    return this.#outgoing.writable();
  }

  end(): void {
    this.#socket.close(normalClosure);
    const timer = setTimeout(() => this.#socket.terminate(), closingMs).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.#socket.terminate();
  }
}
