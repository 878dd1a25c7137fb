import { Backoff } from './backoff.ts';
import { call } from './call.ts';
import { type ConnectOptions, connectHub, type HubSocket } from './connect.ts';
import { type OnPresence, PresenceList } from './presence.ts';
import { randomId } from './random-id.ts';
import { ClientRoom, type JoinOptions, type RoomHandlers } from './room.ts';
import type { ConnectionState } from './state.ts';

/**
 * Connects to one hub of the service, with the delivery contract: in the rooms that are joined, each message
 * reaches the handler once and in order, or the handler is told what was lost.
 *
 * @typeParam Body what the hub's messages carry
 * @param url where the service answers, for example `https://realtime.example.com`
 * @param hub for example `chat`
 * @param options of the Socket.IO client; `auth: (give) => give({ token })` is asked at each connect
 */
export function openHub<Body = unknown>(
  url: string,
  hub: string,
  options: ConnectOptions = {},
): ClientHub<Body> {
  return new ClientHub<Body>(connectHub(url, hub, { ...options, auth: withClient(options.auth) }));
}

type Auth = ConnectOptions['auth'];

/** The same over reconnects, so that a publish that is repeated after one is recognized as the same. */
function withClient(auth: Auth): Auth {
  const client = randomId();
  return (give) => {
    if (typeof auth === 'function') auth((said) => give({ client, ...said }));
    else give({ client, ...auth });
  };
}

/** What a hub's middleware says when it refuses. */
interface HandshakeError extends Error {
  readonly data?: { readonly code?: string };
}

/** One hub of the service, and the rooms that this client has joined in it. */
export class ClientHub<Body = unknown> {
  /** The Socket.IO client below, for events that are not guaranteed. */
  readonly socket: HubSocket;
  readonly #rooms = new Map<string, ClientRoom<Body>>();
  readonly #presences = new Map<string, PresenceList>();
  readonly #watchers = new Set<(state: ConnectionState) => void>();
  #state: ConnectionState = 'connecting';
  #instance: string | undefined;
  #handshakes = new Backoff();
  #closed = false;

  constructor(socket: HubSocket) {
    this.socket = socket;
    socket.on('connect', () => this.#connected());
    socket.on('disconnect', (reason) => this.#disconnected(reason));
    socket.on('connect_error', (error) => this.#notConnected((error as HandshakeError).data?.code));
    socket.on('welcome', ({ instance }) => {
      this.#instance = instance;
    });
    socket.on('degraded', ({ degraded }) => this.#enter(degraded ? 'degraded' : 'connected'));
    socket.on('message', (message) => this.#rooms.get(message.room)?.heard(message));
    socket.on('expelled', ({ room }) => this.#rooms.get(room)?.expelled());
    socket.on('presence', (change) => this.#presences.get(change.room)?.heard(change));
    socket.on('gap', (gap) => this.#rooms.get(gap.room)?.gap(gap));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The instance that serves this client now, once it has said so. */
  get instance(): string | undefined {
    return this.#instance;
  }

  /** Calls `watcher` with each state from now on. @returns ends it */
  watch(watcher: (state: ConnectionState) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Calls a method of the hub's own, once, on the connection that is there now.
   * @throws HubError; `refused` when there is no connection, `uncertain` when no answer came
   */
  call<Answer>(method: string, request: object): Promise<Answer> {
    return call<Answer>(this.socket, method, request);
  }

  /** Joins a room and stays in it through reconnects, until `leave`. Joining it again replaces the handlers. */
  join(room: string, handlers: RoomHandlers<Body>, options: JoinOptions = {}): ClientRoom<Body> {
    this.#rooms.get(room)?.leave();
    const joined = new ClientRoom<Body>(room, this.socket, handlers, options);
    this.#rooms.set(room, joined);
    return joined;
  }

  /**
   * Follows who is in a room that this client has joined, through reconnects, until it leaves. A leave shows some
   * seconds late, and not at all for who comes back meanwhile. Following it again replaces the handler.
   */
  presence(room: string, onChange: OnPresence): PresenceList {
    this.#presences.get(room)?.close();
    const list = new PresenceList(room, this.socket, onChange);
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
    for (const room of this.#rooms.values()) room.close();
    for (const list of this.#presences.values()) list.close();
    this.socket.disconnect();
    this.#enter('closed');
  }

  #connected(): void {
    this.#handshakes = new Backoff();
    this.#enter('connected');
    for (const room of this.#rooms.values()) room.rejoin();
    for (const list of this.#presences.values()) list.ask();
  }

  /** @param code why the service refused the handshake; the client below does not try again by itself then */
  #notConnected(code: string | undefined): void {
    if (this.socket.active || this.#closed) return;
    const mayPass = code === 'unavailable' || (code === 'expired' && this.#state !== 'refused');
    this.#enter(code === 'unavailable' ? 'reconnecting' : 'refused');
    // `auth` is asked anew at each try: after an end that is all it takes.
    if (mayPass) void this.#handshakes.pause().then(() => this.#closed || this.socket.connect());
  }

  #disconnected(reason: string): void {
    if (this.#closed) return;
    this.#enter('reconnecting');
    // An instance that hangs up by name is leaving: another one takes this client.
    if (reason === 'io server disconnect') this.socket.connect();
  }

  #enter(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const watcher of this.#watchers) watcher(state);
  }
}
