import { randomBytes } from 'node:crypto';
import { io } from 'socket.io-client';
import { type ConnectOptions, connectHub } from '../../app/client/connect.ts';
import { openHub } from '../../app/client/hub.ts';
import type { Client, Habits } from './client.ts';
import { ContractClient } from './contract-client.ts';
import { Pace } from './pace.ts';
import { PlainClient } from './plain-client.ts';
import { noTokens, type Tokens } from './tokens.ts';

/** How a client connects. */
export type Way = ContractWay | PlainWay;

export type ContractWay =
  /** As an application does: WebSocket first, then polling, coming back by itself. */
  | 'application'
  /** As an application does whose network blocks WebSockets; gives up at the first error. */
  | 'application-polling';

/** Without the delivery contract; each gives up at the first error. */
export type PlainWay =
  /** WebSocket first, then polling. */
  | 'plain'
  /** The same, all of them in one sender's name: as one user has it with two windows. */
  | 'one-sender'
  /** Long polling alone, with a browser's cookies. */
  | 'polling'
  /** WebSocket alone, no cookies. */
  | 'websocket'
  /** Polling first, then WebSocket: as Socket.IO's own client does unless it is told otherwise. */
  | 'upgrading';

export type ClientOf<W extends Way> = W extends ContractWay ? ContractClient : PlainClient;

export interface Of {
  /** @default chat */
  readonly hub?: string;
}

/** One connection each, however many go to the same URL. */
const alone = { forceNew: true, multiplex: false };
// In Node, `withCredentials` is a cookie jar for each connection.
const pollingAlone = { transports: ['polling'], upgrade: false, withCredentials: true, reconnection: false };
const options: Record<Way, ConnectOptions> = {
  application: { ...alone, withCredentials: true },
  'application-polling': { ...alone, ...pollingAlone },
  plain: { ...alone, withCredentials: true, reconnection: false },
  'one-sender': { ...alone, withCredentials: true, reconnection: false },
  polling: { ...alone, ...pollingAlone },
  websocket: { ...alone, transports: ['websocket'], reconnection: false },
  upgrading: { ...alone, transports: ['polling', 'websocket'], withCredentials: true, reconnection: false },
};

/** Opens clients and closes all of them at the end. */
export class Clients {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #tokens: Tokens;
  readonly #pace: Pace;
  readonly #run = randomBytes(8).toString('hex');
  /** With the number of its user. */
  readonly #open = new Map<Client, number>();
  readonly #elsewhere: Clients[] = [];
  #opened = 0;
  #rooms = 0;

  constructor(url: string, timeoutMs: number, tokens: Tokens = noTokens, pace = new Pace()) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#tokens = tokens;
    this.#pace = pace;
  }

  /** Starts to connect; does not wait. Each is another user than every other that is open, as far as tokens go. */
  open<W extends Way>(way: W, { hub = 'chat' }: Of = {}): ClientOf<W> {
    const user = way === 'one-sender' ? 0 : this.#nextUser();
    const client = this.#connect(way, hub, user, `c${++this.#opened}`);
    this.#open.set(client, user);
    return client as ClientOf<W>;
  }

  /** The same at another URL; they are closed with these. */
  at(url: string): Clients {
    const clients = new Clients(url, this.#timeoutMs, this.#tokens, this.#pace);
    this.#elsewhere.push(clients);
    return clients;
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
    for (const client of [...this.#open.keys()]) this.close(client);
    for (const clients of this.#elsewhere) clients.closeAll();
  }

  /** Not one of those that are open, as long as there are others: they take turns, so that each publishes little. */
  #nextUser(): number {
    const taken = new Set(this.#open.values());
    let user = this.#tokens.nextUser();
    for (let tried = 0; taken.has(user) && tried <= taken.size; tried += 1) user = this.#tokens.nextUser();
    return user;
  }

  #connect(way: Way, hub: string, user: number, name: string): Client {
    const fail = (words: string) => client.fail(words);
    const said = way === 'one-sender' ? { client: this.#run } : {};
    const all = { ...options[way], auth: this.#authOf(user, said, fail) };
    const payer = this.#payerOf(way, user, name);
    const habits = { timeoutMs: this.#timeoutMs, turn: () => this.#pace.turn(payer) };
    const client = this.#create(way, hub, name, all, habits);
    return client;
  }

  /** Whose limit a publish counts against. */
  #payerOf(way: Way, user: number, name: string): string | undefined {
    const { kind } = this.#tokens;
    if (kind === 'one') return undefined;
    if (kind !== 'none') return String(user);
    return way === 'one-sender' ? this.#run : `${this.#run}-${name}`;
  }

  #create(way: Way, hub: string, name: string, all: ConnectOptions, habits: Habits): Client {
    switch (way) {
      case 'application':
      case 'application-polling':
        return new ContractClient(name, openHub(this.#url, hub, all), habits);
      case 'plain':
      case 'one-sender':
        return new PlainClient(name, connectHub(this.#url, hub, all), habits);
      default:
        return new PlainClient(name, io(new URL(`/${hub}`, this.#url).href, all), habits);
    }
  }

  #authOf(user: number, said: object, fail: (words: string) => void) {
    return (give: (auth: object) => void) => {
      this.#tokens.of(user).then(
        (token) => give(token === undefined ? said : { ...said, token }),
        (error: Error) => fail(error.message),
      );
    };
  }
}
