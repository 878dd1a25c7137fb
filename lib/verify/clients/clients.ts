import { randomBytes } from 'node:crypto';
import { io } from 'socket.io-client';
import { type ConnectOptions, connectHub } from '../../../app/client/connection/connect.ts';
import { openHub } from '../../../app/client/hub.ts';
import type { HubRoom } from '../target/rooms-on-shards.ts';
import type { Client, ClientSettings } from './client.ts';
import { ContractClient } from './contract-client.ts';
import { Pacing } from './pacing.ts';
import { PlainClient } from './plain-client.ts';
import { SignalRClient } from './signalr-client.ts';
import type { SignalRWay } from './signalr-connection.ts';
import { noTokens, type Tokens } from './tokens.ts';

/** How a client connects. */
export type Way = ContractWay | PlainWay;

export type ContractWay =
  /** As applications connect: WebSocket first, then polling. It reconnects by itself. */
  | 'application'
  /** As applications connect where the network blocks WebSockets. It gives up at the first error. */
  | 'application-polling';

/** Clients without the delivery contract. Each gives up at the first error. */
export type PlainWay =
  /** WebSocket first, then polling. */
  | 'plain'
  /** The same, but all are the same sender, as a user with two windows. */
  | 'one-sender'
  /** Long polling alone, with a browser's cookies. */
  | 'polling'
  /** WebSocket alone, no cookies. */
  | 'websocket'
  /** Polling first, then WebSocket: as Socket.IO's own client does by default. */
  | 'upgrading';

export type ClientOf<W extends Way> = W extends ContractWay ? ContractClient : PlainClient;

export interface Of {
  /** @default chat */
  readonly hub?: string;
}

export interface ClientsOptions {
  readonly url: string;
  /** Longest wait for any one thing, in milliseconds. */
  readonly timeoutMs: number;
  /** @default none */
  readonly tokens?: Tokens;
  /** @default its own */
  readonly pacing?: Pacing;
  /** Called with each new room. @default nobody is */
  readonly onRoom?: ((room: HubRoom) => void) | undefined;
}

/**
 * If a connection is not open within this time, it never will be; in milliseconds. Socket.IO's client would wait 20 s.
 */
const longestConnectMs = 10_000;

/** Each client has its own connection, even to the same URL. */
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
  readonly #options: ClientsOptions;
  readonly #tokens: Tokens;
  readonly #pacing: Pacing;
  readonly #run = randomBytes(8).toString('hex');
  /** Open clients, each with the number of its user. */
  readonly #open = new Map<Client | SignalRClient, number>();
  readonly #elsewhere: Clients[] = [];
  #opened = 0;
  #names = 0;

  constructor(given: ClientsOptions) {
    this.#options = given;
    this.#tokens = given.tokens ?? noTokens;
    this.#pacing = given.pacing ?? new Pacing();
  }

  /** Opens a client without waiting for it. As far as there are tokens, each open client is another user. */
  open<W extends Way>(way: W, { hub = 'chat' }: Of = {}): ClientOf<W> {
    const user = way === 'one-sender' ? 0 : this.#nextUser();
    const client = this.#connect(way, hub, user, `c${++this.#opened}`);
    this.#open.set(client, user);
    return client as ClientOf<W>;
  }

  /** The same over SignalR, in the hub `chat`; it is not started. */
  async openSignalR(way: SignalRWay): Promise<SignalRClient> {
    const { url, timeoutMs } = this.#options;
    const user = this.#nextUser();
    const name = `c${++this.#opened}`;
    const payer = this.#payerOf('application', user, name);
    // Where there are none, what it gives says that it is the same after a reconnect.
    const token = (await this.#tokens.of(user)) ?? `${this.#run}-${name}`;
    const client = new SignalRClient(name, new URL('/chathub', url).href, way, token, {
      timeoutMs,
      pace: () => this.#pacing.next(payer),
      onRateLimited: () => this.#pacing.noteRateLimit(),
    });
    this.#open.set(client, user);
    return client;
  }

  /** The same at another URL. They are closed together with these. */
  at(url: string): Clients {
    const clients = new Clients({ ...this.#options, tokens: this.#tokens, pacing: this.#pacing, url });
    this.#elsewhere.push(clients);
    return clients;
  }

  /** A name that nobody else uses, for what is no room of a hub. */
  newName(): string {
    return `verify-${this.#run}-${++this.#names}`;
  }

  /** A room that nobody else uses. */
  newRoom({ hub = 'chat' }: Of = {}): string {
    const room = this.newName();
    this.#options.onRoom?.({ hub, room });
    return room;
  }

  close(client: Client | SignalRClient): void {
    client.close();
    this.#open.delete(client);
  }

  closeAll(): void {
    for (const client of [...this.#open.keys()]) this.close(client);
    for (const clients of this.#elsewhere) clients.closeAll();
  }

  /** A user that no open client has, as long as there is one. Users alternate, so that each publishes little. */
  #nextUser(): number {
    const taken = new Set(this.#open.values());
    let user = this.#tokens.nextUser();
    for (let tried = 0; taken.has(user) && tried <= taken.size; tried += 1) user = this.#tokens.nextUser();
    return user;
  }

  #connect(way: Way, hub: string, user: number, name: string): Client {
    const { timeoutMs } = this.#options;
    const fail = (words: string) => client.fail(words);
    const extra = way === 'one-sender' ? { client: this.#run } : {};
    const timeout = Math.min(timeoutMs, longestConnectMs);
    const all = { timeout, ...options[way], auth: this.#authOf(user, extra, fail) };
    const payer = this.#payerOf(way, user, name);
    const client = this.#create(way, hub, name, all, {
      timeoutMs,
      pace: () => this.#pacing.next(payer),
      onRateLimited: () => this.#pacing.noteRateLimit(),
    });
    return client;
  }

  /** The user whose limit a publish counts against. */
  #payerOf(way: Way, user: number, name: string): string | undefined {
    const { kind } = this.#tokens;
    if (kind === 'one') return undefined;
    if (kind !== 'none') return String(user);
    return way === 'one-sender' ? this.#run : `${this.#run}-${name}`;
  }

  #create(way: Way, hub: string, name: string, all: ConnectOptions, settings: ClientSettings): Client {
    const { url } = this.#options;
    switch (way) {
      case 'application':
      case 'application-polling':
        return new ContractClient(name, openHub(url, hub, all), settings);
      case 'plain':
      case 'one-sender':
        return new PlainClient(name, connectHub(url, hub, all), settings);
      default:
        return new PlainClient(name, io(new URL(`/${hub}`, url).href, all), settings);
    }
  }

  #authOf(user: number, extra: object, fail: (words: string) => void) {
    return (give: (auth: object) => void) => {
      this.#tokens.of(user).then(
        (token) => give(token === undefined ? extra : { ...extra, token }),
        (error: Error) => fail(error.message),
      );
    };
  }
}
