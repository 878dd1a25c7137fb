import { randomBytes } from 'node:crypto';
import { io } from 'socket.io-client';
import { type ConnectOptions, connectHub } from '../../app/client/connect.ts';
import { openHub } from '../../app/client/hub.ts';
import type { Client } from './client.ts';
import { ContractClient } from './contract-client.ts';
import { PlainClient } from './plain-client.ts';

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
  | 'websocket';

export type ClientOf<W extends Way> = W extends ContractWay ? ContractClient : PlainClient;

const hub = 'chat';
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
};

/** Opens clients and closes all of them at the end. */
export class Clients {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #run = randomBytes(8).toString('hex');
  readonly #open = new Set<Client>();
  #opened = 0;
  #rooms = 0;

  constructor(url: string, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  /** Starts to connect; does not wait. */
  open<W extends Way>(way: W): ClientOf<W> {
    const client = this.#connect(way, `c${++this.#opened}`);
    this.#open.add(client);
    return client as ClientOf<W>;
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

  #connect(way: Way, name: string): Client {
    switch (way) {
      case 'application':
      case 'application-polling':
        return new ContractClient(name, openHub(this.#url, hub, options[way]), this.#timeoutMs);
      case 'plain':
        return new PlainClient(name, connectHub(this.#url, hub, options[way]), this.#timeoutMs);
      case 'one-sender': {
        const auth = { client: this.#run };
        return new PlainClient(name, connectHub(this.#url, hub, { ...options[way], auth }), this.#timeoutMs);
      }
      default:
        return new PlainClient(name, io(new URL(`/${hub}`, this.#url).href, options[way]), this.#timeoutMs);
    }
  }
}
