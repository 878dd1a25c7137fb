import type { Identity } from '../../auth/identity.ts';
import type { ConnectionLimit } from '../../connections/connection-limit.ts';
import type { ConnectionListener } from '../../connections/connection-listener.ts';
import { InboundLevels } from '../../connections/inbound-level.ts';
import type { SignalRConnection, SignalRHub } from '../hub.ts';
import { LongPollingTransport } from '../transports/long-polling.ts';
import type { Transport } from '../transports/transport.ts';
import { type ConnectionTimes, connectionTimes, type EndReason, ServedConnection } from './connection.ts';
import type { ConnectionClaims } from './connection-token.ts';

export interface SessionsOptions {
  /** Shared with other transports. @default no bounds */
  readonly connectionLimit?: ConnectionLimit;
  /** @default nobody counts */
  readonly listener?: ConnectionListener;
  /** Once a second, of each connection that sent something. @returns true: it is ended. @default nobody is asked */
  readonly isTooMuch?: (address: string, bytes: number) => boolean;
  /** Notified of each connection that is ended for what it sends. @default nobody is */
  readonly onFlood?: (address: string) => void;
  /** Bytes of one message. */
  readonly largestMessage: number;
  /** What may wait for a client that does not read; past it its connection ends. */
  readonly maxWaitingBytes: number;
  readonly times?: Partial<ConnectionTimes>;
  readonly onFault: (fault: Error, connection: SignalRConnection | undefined, target?: string) => void;
}

/** Who comes: what its token says, and who it is. */
export interface Newcomer {
  readonly claims: ConnectionClaims;
  /** Undefined: nobody is authenticated. */
  readonly identity: Identity | undefined;
  /** Its address, as far as proxies are believed. */
  readonly address: string;
  readonly hub: SignalRHub;
}

export interface Session {
  readonly connection: ServedConnection;
  readonly transport: Transport;
  readonly claims: ConnectionClaims;
}

/** A session that ended is known for so long, in milliseconds: its client's next poll gets the end. */
const endedSessionMs = 5_000;
const tickMs = 1_000;

/** The connections of this instance, by the ids that their tokens name. */
export class Sessions implements Iterable<ServedConnection> {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #connections = new Set<ServedConnection>();
  /** Of clients that poll: known for a while. */
  readonly #ended = new Set<LongPollingTransport>();
  readonly #levels: InboundLevels<ServedConnection>;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { isTooMuch, onFlood } = options;
    this.#levels = new InboundLevels({
      isTooMuch: isTooMuch && (({ address }, bytes) => isTooMuch(address, bytes)),
      onFlood: (connection) => {
        onFlood?.(connection.address);
        connection.terminate();
      },
    });
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  /** Those whose last words a poll will fetch, too. */
  get count(): number {
    const unread = [...this.#ended].filter(({ willBeRead }) => willBeRead);
    return this.#connections.size + unread.length;
  }

  [Symbol.iterator](): Iterator<ServedConnection> {
    return this.#connections.values();
  }

  /** Also one that has ended just now, of a client that polls. */
  find({ connectionId }: ConnectionClaims): Session | undefined {
    return this.#sessions.get(connectionId);
  }

  /** Counts a connection that is about to be opened. @throws AuthenticationError; what is admitted must be released */
  admit({ claims, identity }: Newcomer): void {
    if (identity) this.#options.connectionLimit?.add(identity.subject, claims);
  }

  /** It was not opened after all. */
  release({ claims, identity }: Newcomer): void {
    if (identity) this.#options.connectionLimit?.remove(identity.subject, claims);
  }

  /** Opens a connection that was admitted, and releases it at its end. */
  open(newcomer: Newcomer, transport: Transport): Session {
    const { largestMessage, maxWaitingBytes, times, onFault, listener } = this.#options;
    const { claims, identity, address, hub } = newcomer;
    // The newest one wins: the one before is of a client that lost it.
    this.find(claims)?.connection.terminate();
    const connection = new ServedConnection({
      id: claims.connectionId,
      identity,
      address,
      hub,
      transport,
      largestMessage,
      maxWaitingBytes,
      times: { ...connectionTimes, ...times },
      onFault,
      onMessage: (each) => this.#levels.count(each, 0),
      onHandshakeRefused: () => {
        const over = transport.name === 'websocket' ? 'websocket' : 'polling';
        listener?.handshakeFailed(over, 'unsupported_protocol');
      },
      onEnd: (_connection, reason) => {
        this.release(newcomer);
        this.#end(session, reason);
      },
    });
    const session: Session = { connection, transport, claims };
    this.#sessions.set(claims.connectionId, session);
    this.#connections.add(connection);
    listener?.connectionOpened();
    return session;
  }

  received(connection: ServedConnection, bytes: Buffer): void {
    this.#levels.count(connection, bytes.length);
    connection.receive(bytes);
  }

  /** A ping or pong of a WebSocket, which its library answers. */
  controlFrame(connection: ServedConnection): void {
    this.#levels.count(connection, 0);
    connection.transportReplied();
  }

  /** Ends all connections at once. */
  close(): void {
    clearInterval(this.#timer);
    this.#levels.close();
    for (const connection of [...this.#connections]) connection.terminate();
  }

  #end(session: Session, reason: EndReason): void {
    const { connection, transport, claims } = session;
    this.#connections.delete(connection);
    this.#options.listener?.connectionEnded(reason, performance.now() - connection.openedAt);
    const forget = () => {
      if (this.#sessions.get(claims.connectionId) === session) this.#sessions.delete(claims.connectionId);
    };
    if (!(transport instanceof LongPollingTransport)) return void forget();
    this.#ended.add(transport);
    setTimeout(() => {
      this.#ended.delete(transport);
      forget();
      transport.destroy();
    }, endedSessionMs).unref();
  }

  #tick(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.tick(now);
  }
}
