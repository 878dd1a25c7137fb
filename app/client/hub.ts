import type { ServerToClient } from '../protocol/hub.ts';
import { Backoff } from './connection/backoff.ts';
import { type ConnectOptions, connectHub, type HubSocket } from './connection/connect.ts';
import { HubConnection } from './connection/connection.ts';
import { Notifier } from './connection/notify.ts';
import { randomId } from './connection/random-id.ts';
import { watchWaking } from './connection/wake.ts';
import { type OnPresence, PresenceList } from './presence.ts';
import type { Caller } from './requests/call.ts';
import { callerOf } from './requests/socket-caller.ts';
import { ClientRoom, isMessage, type JoinOptions, type RoomHandlers } from './room/room.ts';

/**
 * Connects to one hub of the service, with the delivery contract: in each room that was joined, every message reaches
 * the handler once and in order, or the application is notified of what was lost.
 *
 * An error in a callback of the application reaches `onError`, and ends neither the room nor the process.
 *
 * @typeParam Body what the hub's messages carry
 * @param url where the service answers, for example `https://realtime.example.com`
 * @param hub for example `chat`, or a namespace, such as `/`
 * @param options of the Socket.IO client; `auth: (give) => give({ token })` is asked at each connect
 * @throws Error if the URL is not valid
 */
export function openHub<Body = unknown>(
  url: string,
  hub: string,
  options: ConnectOptions = {},
): ClientHub<Body> {
  const socket = connectHub(url, hub, { ...options, auth: withClient(options.auth) });
  return new ClientHub<Body>(socket, new Notifier(options.onError));
}

type Auth = ConnectOptions['auth'];

/** Adds a client id that stays the same through reconnects, so that the service recognizes a repeated publish. */
function withClient(auth: Auth): Auth {
  const client = randomId();
  if (typeof auth !== 'function') return { client, ...auth };
  return (give) => auth((said) => give({ client, ...said }));
}

/** The longest pause between two handshakes that the service refuses for now, in milliseconds. */
const longestHandshakePauseMs = 10_000;

/** The error of a handshake that the service refused. */
interface HandshakeError extends Error {
  readonly data?: { readonly code?: string };
}

/**
 * What a page can show of a connection.
 *
 * `degraded`: connected, but the instance has lost its backplane. Publishes wait, and losses are reported.
 * `expired`: the token has expired, and `auth` returns no new one. It is asked again and again.
 * `refused`: the service does not accept this client, for example because its token is not valid.
 */
export type ConnectionState =
  | 'connecting'
  | 'connected'
  | 'degraded'
  | 'reconnecting'
  | 'expired'
  | 'refused'
  | 'closed';

/** One hub of the service, and the rooms that this client has joined in it. */
export class ClientHub<Body = unknown> {
  /** The underlying Socket.IO client, for events that are not guaranteed. */
  readonly socket: HubSocket;
  /** Its requests, for `ask` and `cancel` of `answers.ts`. */
  readonly caller: Caller;
  readonly #rooms = new Map<string, ClientRoom<Body>>();
  readonly #presences = new Map<string, PresenceList>();
  readonly #watchers = new Set<(state: ConnectionState) => void>();
  readonly #notifier: Notifier;
  readonly #stopWatchingWaking: () => void;
  readonly #handlers: Partial<ServerToClient> = {
    welcome: ({ instance }) => {
      this.#instance = instance;
    },
    degraded: ({ degraded, rooms }) => {
      if (Array.isArray(rooms)) for (const name of rooms) this.#rooms.get(name)?.degraded(degraded);
      else this.#enter(degraded ? 'degraded' : 'connected');
    },
    message: (message) => {
      if (isMessage(message)) this.#rooms.get(message.room)?.heard(message);
    },
    expelled: ({ room }) => this.#rooms.get(room)?.expelled(),
    presence: (change) => this.#presences.get(change.room)?.heard(change),
    gap: ({ room }) => this.#rooms.get(room)?.rejoin(),
  };
  #state: ConnectionState = 'connecting';
  #instance: string | undefined;
  #handshakes = new Backoff(longestHandshakePauseMs);
  #hasExpired = false;
  #closed = false;

  constructor(socket: HubSocket, notifier: Notifier) {
    this.socket = socket;
    this.caller = callerOf(socket);
    this.#notifier = notifier;
    // It must see the connection from its beginning.
    HubConnection.of(socket);
    this.#stopWatchingWaking = watchWaking(() => this.checkConnection());
    socket.on('connect', () => this.#connected());
    socket.on('disconnect', (reason) => this.#disconnected(reason));
    socket.on('connect_error', (error) => this.#notConnected((error as HandshakeError).data?.code));
    // This gets events before the application's own listeners, and `off('message')` does not remove it.
    socket.onAny((event: string, payload) => {
      // Servers that are bridged to the hub may have events of the same names, with whatever arguments.
      const isOurs = Object.hasOwn(this.#handlers, event) && typeof payload === 'object' && payload !== null;
      if (isOurs) this.#handlers[event as keyof ServerToClient]?.(payload);
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The instance that serves this client now. Undefined until the instance has said so. */
  get instance(): string | undefined {
    return this.#instance;
  }

  /** Calls `watcher` with each state from now on. Its errors reach `onError`. @returns stops watching */
  watch(watcher: (state: ConnectionState) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Checks whether the connection is alive, and renews it within some seconds if not. The client does so by itself
   * after a call without a reply, after a sleep, and at events of pages and workers. Call it if your platform reports
   * more, such as `AppState` in React Native.
   */
  checkConnection(): void {
    void HubConnection.of(this.socket).probe();
  }

  /**
   * Calls a method of the hub once, on the current connection.
   * @throws HubError; `refused` if there is no connection, `uncertain` if no reply came, `expired` if the token has
   *   expired: the client is getting a new one
   */
  call<Answer>(method: string, request: object): Promise<Answer> {
    return this.caller.call<Answer>(method, request);
  }

  /** Joins a room and stays in it through reconnects, until `leave`. Joining it again replaces the handlers. */
  join(room: string, handlers: RoomHandlers<Body>, options: JoinOptions = {}): ClientRoom<Body> {
    this.#rooms.get(room)?.leave();
    const joined = new ClientRoom<Body>(room, this.caller, handlers, options, this.#notifier);
    this.#rooms.set(room, joined);
    return joined;
  }

  /**
   * Follows who is in a room that this client has joined, through reconnects, until it leaves. A leave is reported
   * some seconds late, and not at all if the user is back by then. Following it again replaces the handler.
   */
  presence(room: string, onChange: OnPresence): PresenceList {
    this.#presences.get(room)?.close();
    const list = new PresenceList(room, this.caller, onChange, this.#notifier);
    this.#presences.set(room, list);
    return list;
  }

  leave(room: string): void {
    this.#rooms.get(room)?.leave();
    this.#presences.get(room)?.close();
    this.#presences.delete(room);
    if (this.#rooms.delete(room) && this.socket.connected)
      this.socket.emit('leave', { room }, () => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#stopWatchingWaking();
    for (const room of this.#rooms.values()) room.close();
    for (const list of this.#presences.values()) list.close();
    this.socket.disconnect();
    this.#enter('closed');
  }

  #connected(): void {
    this.#handshakes = new Backoff(longestHandshakePauseMs);
    this.#hasExpired = false;
    for (const room of this.#rooms.values()) {
      // Another instance says anew what it does not reach.
      room.degraded(false);
      room.rejoin();
    }
    for (const list of this.#presences.values()) list.ask();
    this.#enter('connected');
  }

  /** @param code why the service refused the handshake. Socket.IO does not try again by itself then */
  #notConnected(code: string | undefined): void {
    if (this.socket.active || this.#closed) return;
    if (code !== 'unavailable' && code !== 'expired') {
      this.#enter('refused');
      return;
    }
    // `auth` is asked at each try. The first time it may have returned a stored token, and fetch a new one meanwhile.
    this.#enter(code === 'expired' && this.#hasExpired ? 'expired' : 'reconnecting');
    this.#hasExpired = code === 'expired';
    void this.#handshakes.pause().then(() => this.#closed || this.socket.connect());
  }

  #disconnected(reason: string): void {
    if (this.#closed) return;
    this.#enter('reconnecting');
    // An instance that disconnects its clients is leaving. Another instance accepts this client.
    if (reason === 'io server disconnect') this.socket.connect();
  }

  #enter(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const watcher of [...this.#watchers]) {
      // An earlier watcher may have closed the hub, and all watchers were notified of that already.
      if (this.#state === state) this.#notifier.notify(watcher, state);
    }
  }
}
