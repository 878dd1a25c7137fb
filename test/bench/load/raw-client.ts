import { once } from 'node:events';
import { type RawData, WebSocket } from 'ws';
import type { Dialect } from './dialects.ts';

const longestWaitMs = 30_000;

/** One connection of the load: as little as a client can do, so that the servers have the machine. */
export class RawClient {
  readonly #socket: WebSocket;
  readonly #dialect: Dialect;
  readonly #onMessage: (text: string) => void;
  #waiting: { readonly holds: (text: string) => boolean; readonly done: () => void } | undefined;

  private constructor(socket: WebSocket, dialect: Dialect, onMessage: (text: string) => void) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#onMessage = onMessage;
    socket.on('message', (data: RawData) => this.#take(data.toString()));
  }

  static async connect(
    port: number,
    dialect: Dialect,
    onMessage: (text: string) => void,
  ): Promise<RawClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${dialect.path}`, { perMessageDeflate: false });
    const client = new RawClient(socket, dialect, onMessage);
    const ready = dialect.isReady ? client.#until('a greeting', dialect.isReady) : undefined;
    ready?.catch(() => undefined);
    await once(socket, 'open');
    if (dialect.opening !== undefined) socket.send(dialect.opening);
    await ready;
    socket.on('error', () => undefined);
    return client;
  }

  async join(room: string): Promise<void> {
    const joined = this.#until(`an answer to the join of ${room}`, this.#dialect.isJoined);
    this.#socket.send(this.#dialect.join(room));
    await joined;
  }

  publish(room: string, body: string, id: string): void {
    this.#socket.send(this.#dialect.publish(room, body, id));
  }

  #take(text: string): void {
    if (this.#dialect.isMessage(text)) {
      this.#onMessage(text);
      return;
    }
    const answer = this.#dialect.greet(text) ?? this.#dialect.pong(text);
    if (answer !== undefined) this.#socket.send(answer);
    if (this.#waiting?.holds(text)) this.#waiting.done();
  }

  #until(what: string, holds: (text: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), longestWaitMs);
      this.#waiting = {
        holds,
        done: () => {
          clearTimeout(timer);
          this.#waiting = undefined;
          resolve();
        },
      };
    });
  }
}
