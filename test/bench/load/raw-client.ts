import { once } from 'node:events';
import { type RawData, WebSocket } from 'ws';
import type { Dialect } from './dialects.ts';

const longestWaitMs = 60_000;

export interface RawClientOptions {
  readonly port: number;
  readonly dialect: Dialect;
  /** What a proxy says of where it comes from. */
  readonly address: string;
  /** A frame with so many messages of its rooms came. */
  readonly onMessages: (text: string, count: number) => void;
  /** @default nobody is notified */
  readonly onClosed?: (() => void) | undefined;
}

/** One connection of the load: as little as a client can do, so that the servers have the machine. */
export class RawClient {
  readonly #socket: WebSocket;
  readonly #dialect: Dialect;
  readonly #onMessages: RawClientOptions['onMessages'];
  #waiting:
    | {
        readonly holds: (text: string) => boolean;
        readonly done: (text: string) => void;
        readonly fail: (fault: Error) => void;
      }
    | undefined;

  private constructor(socket: WebSocket, { dialect, onMessages, onClosed }: RawClientOptions) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#onMessages = onMessages;
    socket.on('message', (data: RawData) => this.#take(data.toString()));
    socket.on('close', () => {
      this.#waiting?.fail(new Error('the connection ended'));
      onClosed?.();
    });
  }

  static async connect(options: RawClientOptions): Promise<RawClient> {
    const { port, dialect, address } = options;
    const socket = new WebSocket(`ws://127.0.0.1:${port}${dialect.path}`, {
      perMessageDeflate: false,
      headers: { 'x-forwarded-for': address },
    });
    const client = new RawClient(socket, options);
    const ready = dialect.isReady ? client.#until('a greeting', dialect.isReady) : undefined;
    ready?.catch(() => undefined);
    await once(socket, 'open');
    socket.on('error', () => undefined);
    if (dialect.opening !== undefined) socket.send(dialect.opening);
    await ready;
    return client;
  }

  /** @param before what a former join was answered  @returns what this one was answered */
  join(room: string, before?: string): Promise<string> {
    const joined = this.#until(`an answer to the join of ${room}`, this.#dialect.isJoined);
    this.#socket.send(this.#dialect.join(room, before));
    return joined;
  }

  publish(room: string, body: string, id: string): void {
    this.#socket.send(this.#dialect.publish(room, body, id));
  }

  /** Without a goodbye, as a lost network is. */
  end(): void {
    this.#socket.terminate();
  }

  #take(text: string): void {
    if (this.#waiting?.holds(text)) this.#waiting.done(text);
    const messages = this.#dialect.messagesIn(text);
    if (messages > 0) {
      this.#onMessages(text, messages);
      return;
    }
    const answer = this.#dialect.greet(text) ?? this.#dialect.pong(text);
    if (answer !== undefined) this.#socket.send(answer);
  }

  #until(what: string, holds: (text: string) => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        settle();
      };
      const fail = (fault: Error) => end(() => reject(fault));
      const timer = setTimeout(() => fail(new Error(`waited in vain for ${what}`)), longestWaitMs);
      this.#waiting = { holds, done: (text) => end(() => resolve(text)), fail };
    });
  }
}
