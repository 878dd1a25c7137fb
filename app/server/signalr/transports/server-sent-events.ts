import type { ServerResponse } from 'node:http';
import { OutgoingBytes, type Transport } from './transport.ts';

const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache,no-store',
  pragma: 'no-cache',
  'content-encoding': 'identity',
  // nginx would wait until it has a buffer full.
  'x-accel-buffering': 'no',
};

export class ServerSentEventsTransport implements Transport {
  readonly name = 'sse';
  readonly takesBinary = false;
  readonly needsPings = true;
  readonly #response: ServerResponse;
  readonly #outgoing = new OutgoingBytes();

  constructor(response: ServerResponse) {
    this.#response = response;
    response.once('close', () => this.#outgoing.release());
    response.writeHead(200, headers);
    // A browser takes the connection for open when the first bytes are there.
    response.write(':\r\n');
  }

  get waitingBytes(): number {
    return this.#outgoing.count;
  }

  send(record: Buffer): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    const lines = record.toString('utf8').split(/\r\n|\r|\n/);
    const event = `data: ${lines.join('\r\ndata: ')}\r\n\r\n`;
    this.#response.write(event, this.#outgoing.add(record.length));
  }

  writable(): Promise<void> {
    return this.#outgoing.writable();
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}
