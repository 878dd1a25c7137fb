import type { ErrorCode, Welcome } from '../protocol/hub.ts';
import { Notifier, type OnError } from './connection/notify.ts';
import { OneAtATime } from './connection/one-at-a-time.ts';
import { type Caller, isRightBehind, NoReplyError, replyTimeoutMs, sendingMs } from './requests/call.ts';
import { HubError } from './requests/errors.ts';
import { measureRequest } from './requests/request-size.ts';
import { ClientRoom, isMessage, type JoinOptions, type RoomHandlers } from './room/room.ts';

/** The part of a connection of `@microsoft/signalr` that is used here. */
export interface SignalRConnection {
  /** `Connected`, or another word. */
  readonly state: string;
  invoke<T>(method: string, ...args: unknown[]): Promise<T>;
  on(event: string, handler: (payload: never) => void): void;
  off(event: string, handler: (payload: never) => void): void;
  onreconnecting(handler: () => void): void;
  onreconnected(handler: () => void): void;
  onclose(handler: (error?: Error) => void): void;
}

export interface SignalROptions {
  /** Gets the errors that the application's callbacks throw. @default as for `openHub` */
  readonly onError?: OnError;
  /**
   * The token has expired, and the service refuses what is called with it: the application stops the connection, and
   * starts it with a new token. Calls are repeated until then. @default nothing
   */
  readonly onExpired?: () => void;
}

/**
 * Gives a SignalR connection the delivery contract: in each room that was joined, every message reaches the handler
 * once and in order, or the application is notified of what was lost. The application starts and stops the connection;
 * rooms are joined whenever it stands.
 *
 * @typeParam Body what the hub's messages carry
 * @param connection for example of `/chathub`; with `withAutomaticReconnect`, it comes back by itself
 */
export function openSignalRHub<Body = unknown>(
  connection: SignalRConnection,
  { onError, onExpired }: SignalROptions = {},
): SignalRHub<Body> {
  return new SignalRHub<Body>(connection, new Notifier(onError), onExpired);
}

/** How often to look whether a connection that was welcomed has started, in milliseconds. */
const startingMs = 20;

/** The rooms that a SignalR connection has joined. */
export class SignalRHub<Body = unknown> {
  readonly connection: SignalRConnection;
  readonly #rooms = new Map<string, ClientRoom<Body>>();
  readonly #notifier: Notifier;
  readonly #caller: SignalRCaller;
  readonly #handlers: Readonly<Record<string, (payload: never) => void>> = {
    welcome: (welcome: Welcome | null) => this.#welcomed(welcome?.limits?.bodyBytes),
    message: (message: unknown) => {
      if (isMessage(message)) this.#rooms.get(message.room)?.heard(message);
    },
    gap: (gap: { room: string } | null) => gap && this.#rooms.get(gap.room)?.rejoin(),
    expelled: (said: { room: string } | null) => said && this.#rooms.get(said.room)?.expelled(),
  };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(connection: SignalRConnection, notifier: Notifier, onExpired?: () => void) {
    this.connection = connection;
    this.#notifier = notifier;
    this.#caller = new SignalRCaller(connection, () => notifier.notify(onExpired));
    for (const [event, handler] of Object.entries(this.#handlers)) connection.on(event, handler);
    connection.onreconnected(() => this.#rejoin());
  }

  /** Its requests, for `ask` and `cancel` of `answers.ts`. */
  get caller(): Caller {
    return this.#caller;
  }

  /** Joins a room and stays in it through reconnects, until `leave`. Joining it again replaces the handlers. */
  join(room: string, handlers: RoomHandlers<Body>, options: JoinOptions = {}): ClientRoom<Body> {
    this.#rooms.get(room)?.leave();
    const joined = new ClientRoom<Body>(room, this.#caller, handlers, options, this.#notifier);
    this.#rooms.set(room, joined);
    return joined;
  }

  /** Calls a method of the hub once. @throws HubError as `ClientHub.call` */
  call<Answer>(method: string, request: object): Promise<Answer> {
    return this.#caller.call<Answer>(method, request);
  }

  leave(room: string): void {
    this.#rooms.get(room)?.leave();
    if (this.#rooms.delete(room) && this.#caller.connected) {
      this.connection.invoke('leave', { room }).catch(() => undefined);
    }
  }

  /** Leaves the connection to the application, and ends publishes that are still being tried. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const [event, handler] of Object.entries(this.#handlers)) this.connection.off(event, handler);
    for (const room of this.#rooms.values()) room.close();
  }

  /** Nothing else tells of a first start. The welcome may come before the connection itself knows that it stands. */
  #welcomed(bodyBytes: number | undefined): void {
    this.#caller.bodyBytes = bodyBytes;
    this.#rejoinOnceStarted();
  }

  #rejoinOnceStarted(): void {
    clearTimeout(this.#timer);
    if (this.#caller.connected) this.#rejoin();
    else if (this.connection.state === 'Connecting' && !this.#closed) {
      this.#timer = setTimeout(() => this.#rejoinOnceStarted(), startingMs);
    }
  }

  #rejoin(): void {
    if (this.#closed) return;
    for (const room of this.#rooms.values()) room.rejoin();
  }
}

/** Requests over a SignalR connection: one argument each, an object. */
class SignalRCaller implements Caller {
  readonly #connection: SignalRConnection;
  readonly #onExpired: () => void;
  readonly #tasks = new OneAtATime();
  /** Connections that the service or the network has ended so far. */
  #ends = 0;
  bodyBytes: number | undefined;

  constructor(connection: SignalRConnection, onExpired: () => void) {
    this.#connection = connection;
    this.#onExpired = onExpired;
    const ended = () => {
      this.#ends += 1;
    };
    connection.onreconnecting(ended);
    // The application's own stop comes without an error.
    connection.onclose((error) => error && ended());
  }

  get connected(): boolean {
    return this.#connection.state === 'Connected';
  }

  async call<T>(method: string, request: object): Promise<T> {
    const bytes = measureRequest(method, request, { bodyBytes: this.bodyBytes });
    if (!this.connected) throw new NoReplyError('refused', 'not connected to the service');
    const extraMs = sendingMs(bytes);
    const sentAt = Date.now();
    const before = this.#ends;
    try {
      return await inTime(this.#connection.invoke<T>(method, request), method, replyTimeoutMs + extraMs);
    } catch (error) {
      if (error instanceof HubError) throw error;
      const { message } = error as Error;
      if (isReply(message)) throw this.#refusalIn(message);
      const hasEnded = isRightBehind(sentAt, extraMs) && this.#ends > before;
      throw new NoReplyError('uncertain', `${method}: ${message}`, hasEnded);
    }
  }

  alone<T>(task: () => Promise<T>): Promise<T> {
    return this.#tasks.run(task);
  }

  #refusalIn(message: string): HubError {
    const refusal = refusalIn(message);
    if (refusal.code === 'expired') this.#onExpired();
    return refusal;
  }
}

/** A connection that died silently is found by SignalR itself, after `serverTimeoutInMilliseconds`. */
function inTime<T>(replied: Promise<T>, method: string, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new NoReplyError('uncertain', `no reply to ${method}`)), ms);
    replied.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Whether the service has answered, with an error. What ends a connection says something else. */
function isReply(message: string): boolean {
  return /^(An unexpected error occurred invoking|Failed to invoke|Unknown hub method) /.test(message);
}

/** The code stands in front of the text, as the service writes it. */
function refusalIn(message: string): HubError {
  const [, code, text = message] = /HubException: (\w+): (.*)$/s.exec(message) ?? [];
  const fallback = message.startsWith('Unknown') ? 'bad_request' : 'internal';
  return new HubError({ code: (code as ErrorCode | undefined) ?? fallback, message: text });
}
