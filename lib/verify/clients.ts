import { randomBytes } from 'node:crypto';
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import { connectHub, type HubSocket } from '../../app/client/connect.ts';
import type { Message } from '../../app/protocol/hub.ts';
import { wordsOf } from './explain.ts';
import type { Party } from './tally.ts';
import { type Patience, until } from './wait.ts';

/** How a client connects. */
export type Way =
  /** As an application does: WebSocket first, then polling, coming back by itself. */
  | 'application'
  /** Long polling alone, with a browser's cookies; gives up at the first error. */
  | 'polling'
  /** WebSocket alone, no cookies; gives up at the first error. */
  | 'websocket';

const hub = 'chat';
type Options = Partial<ManagerOptions & SocketOptions>;

/** One connection each, however many go to the same URL. */
const alone: Options = { forceNew: true, multiplex: false };
const ways: Record<Way, Options> = {
  // In Node, `withCredentials` is a cookie jar for each connection.
  application: { ...alone, withCredentials: true },
  polling: { ...alone, transports: ['polling'], upgrade: false, withCredentials: true, reconnection: false },
  websocket: { ...alone, transports: ['websocket'], reconnection: false },
};

/** A client of the chat hub that knows which instance serves it, and joins its rooms again when it comes back. */
export class Client implements Party {
  readonly name: string;
  readonly #socket: HubSocket;
  readonly #rooms = new Set<string>();
  readonly #timeoutMs: number;
  #instance = '';
  #settled = false;
  #connections = 0;
  #fault?: string;

  constructor(url: string, way: Way, name: string, timeoutMs: number) {
    this.name = name;
    this.#timeoutMs = timeoutMs;
    this.#socket = connect(url, way);
    this.#socket.on('welcome', ({ instance }) => void this.#arrive(instance));
    this.#socket.on('connect_error', (error) => {
      this.#fault = wordsOf(error);
    });
    this.#socket.on('disconnect', (reason, details) => {
      this.#settled = false;
      // The transport's words are there only while this event is under way.
      this.#fault = details ? wordsOf(details) : reason;
    });
  }

  /** The instance that serves it, or the last one that did. */
  get instance(): string {
    return this.#instance;
  }

  /** Connected, welcomed, and in its rooms. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Times that an instance welcomed it: 1 for a connection that held. */
  get connections(): number {
    return this.#connections;
  }

  /** What it was told last when a connection failed or ended. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Waits until it is settled; false when the time is up, or it met an error and does not try again. */
  async ready(patience: Patience): Promise<boolean> {
    await until(() => this.#settled || this.#gaveUp, patience);
    return this.#settled;
  }

  /** @throws Error with the refusal, or when nothing is answered in time */
  async join(room: string): Promise<void> {
    const answer = await this.#socket.timeout(this.#timeoutMs).emitWithAck('join', { room });
    if (!answer.ok) throw new Error(`join: ${answer.error.code}, ${answer.error.message}`);
    this.#rooms.add(room);
  }

  /** @throws Error with the refusal, or when nothing is answered in time */
  async publish(room: string, id: string, body: unknown): Promise<void> {
    const answer = await this.#socket.timeout(this.#timeoutMs).emitWithAck('publish', { room, id, body });
    if (!answer.ok) throw new Error(`publish: ${answer.error.code}, ${answer.error.message}`);
  }

  onMessage(listener: (message: Message) => void): void {
    this.#socket.on('message', listener);
  }

  close(): void {
    this.#socket.disconnect();
  }

  get #gaveUp(): boolean {
    const triesAgain = this.#socket.active && this.#socket.io.reconnection();
    return this.#fault !== undefined && !triesAgain;
  }

  async #arrive(instance: string): Promise<void> {
    const rooms = [...this.#rooms];
    try {
      await Promise.all(rooms.map((room) => this.join(room)));
    } catch (error) {
      this.#fault = wordsOf(error);
      return;
    }
    this.#instance = instance;
    this.#connections += 1;
    this.#settled = true;
  }
}

function connect(url: string, way: Way): HubSocket {
  if (way === 'application') return connectHub(url, hub, ways[way]);
  return io(new URL(`/${hub}`, url).href, ways[way]);
}

/** Opens clients and closes all of them at the end. */
export class Clients {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #run = randomBytes(4).toString('hex');
  readonly #open = new Set<Client>();
  #opened = 0;
  #rooms = 0;

  constructor(url: string, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  /** Starts to connect; does not wait. */
  open(way: Way): Client {
    const client = new Client(this.#url, way, `c${++this.#opened}`, this.#timeoutMs);
    this.#open.add(client);
    return client;
  }

  /** A room that nobody else uses. */
  newRoom(): string {
    return `verify-${this.#run}-${++this.#rooms}`;
  }

  close(client: Client): void {
    client.close();
    this.#open.delete(client);
  }

  closeAll(): void {
    for (const client of [...this.#open]) this.close(client);
  }
}
