import type { JoinReply, Lost, Message, Position } from '../../protocol/hub.ts';
import type { Notifier } from '../connection/notify.ts';
import { randomId } from '../connection/random-id.ts';
import { type Attempts, type Caller, callUntilAvailable } from '../requests/call.ts';
import { HubError, mayRetry } from '../requests/errors.ts';
import { Sync } from '../requests/sync.ts';
import { RoomCursor } from './cursor.ts';

/** Their errors are reported as those of all callbacks, and the room goes on. */
export interface RoomHandlers<Body> {
  /** Each message of the room, once and in order, through reconnects and changes of instance. */
  readonly onMessage: (message: Message & { readonly body: Body }) => void;
  /**
   * Something was lost that can't be delivered any more. The application should reload its state from where it keeps
   * it. Messages go on after it.
   */
  readonly onLost?: (lost: Lost) => void;
  /**
   * The service does not let this client into the room, or removed it. With `unavailable` the client tries again by
   * itself: the connection ended right after each of its joins.
   */
  readonly onRefused?: (error: HubError) => void;
  /**
   * The part of the backplane that keeps this room is away, or is back. Publishes in it wait meanwhile, and losses are
   * reported. Where all of the backplane is away, the hub's state says so instead.
   */
  readonly onDegraded?: (degraded: boolean) => void;
}

export interface JoinOptions {
  /** Starts after a position that was stored, for example over a reload of the page. @default from now on */
  readonly since?: Position;
  /**
   * So many of the log's last messages come first. If the log has fewer, that is no loss. It has no effect together
   * with `since`. @default 0
   */
  readonly recent?: number;
}

export interface PublishOptions {
  /** 1–64 characters. For 2 minutes, the same id means the same message. @default a random one */
  readonly id?: string;
  /** How long to try, in milliseconds, at most 60,000. @default 60,000 */
  readonly forMs?: number;
}

/**
 * The longest that a publish is tried, in milliseconds. An instance may read the last try some 45 s later, when its
 * connection times out. It must still be within the service's window of ids, 120 s.
 */
const longestTryMs = 60_000;

/** One room as this client has joined it. */
export class ClientRoom<Body = unknown> {
  readonly name: string;
  readonly #caller: Caller;
  readonly #handlers: RoomHandlers<Body>;
  readonly #notifier: Notifier;
  readonly #cursor = new RoomCursor();
  readonly #sync: Sync;
  /** Messages that arrive while a join is under way. */
  #held: Message[] = [];
  #left = false;
  #closed = false;
  #isDegraded = false;
  readonly #since: Position | undefined;
  readonly #recent: number;
  readonly #joined: Promise<void>;
  #resolveJoined: (() => void) | undefined;
  #rejectJoined: ((error: HubError) => void) | undefined;

  constructor(
    name: string,
    caller: Caller,
    handlers: RoomHandlers<Body>,
    options: JoinOptions,
    notifier: Notifier,
  ) {
    this.name = name;
    this.#caller = caller;
    this.#handlers = handlers;
    this.#notifier = notifier;
    this.#since = options.since;
    this.#recent = options.recent ?? 0;
    this.#joined = new Promise((resolve, reject) => {
      this.#resolveJoined = resolve;
      this.#rejectJoined = reject;
    });
    this.#joined.catch(() => undefined);
    this.#sync = new Sync({
      caller,
      notifier,
      run: (attempts) => this.#join(attempts),
      onError: (error) => {
        if (!mayRetry(error.code)) this.#refused(error);
        return mayRetry(error.code);
      },
      onSuspended: (error) => this.#refused(error),
    });
    if (caller.connected) this.rejoin();
  }

  /** Resolves when the room was joined for the first time. @throws HubError if the service refuses */
  get joined(): Promise<void> {
    return this.#joined;
  }

  /** The position of the last delivered message, for `since` of a later join. */
  get position(): Position | undefined {
    return this.#cursor.position;
  }

  /**
   * Publishes, and repeats with the same id until the service replies: through lost connections, changes of instance,
   * an expired token, and while Redis is away.
   *
   * @throws HubError `refused`: not written. `uncertain`: it may be written. With `too_large`, `forbidden` and
   *   `bad_request` another try would not help
   */
  async publish(
    body: Body,
    { id = randomId(), forMs = longestTryMs }: PublishOptions = {},
  ): Promise<Position> {
    const request = (age: number) => ({ room: this.name, id, body, ...(age > 0 && { age }) });
    const { epoch, offset } = await callUntilAvailable<Position>(this.#caller, 'publish', request, {
      forMs,
      longestMs: longestTryMs,
      isOver: () => this.#closed,
    });
    this.#cursor.acknowledged({ epoch, offset });
    if (this.#cursor.isInDoubt) this.rejoin();
    return { epoch, offset };
  }

  /** Called with every `message` of the hub. */
  heard(message: Message): void {
    if (this.#left) return;
    if (this.#sync.isRunning) this.#held.push(message);
    else this.#take(message);
  }

  /** Called when the part of the backplane that keeps this room goes away, or is back. */
  degraded(degraded: boolean): void {
    if (this.#isDegraded === degraded || this.#left) return;
    this.#isDegraded = degraded;
    this.#notifier.notify(this.#handlers.onDegraded, degraded);
  }

  expelled(): void {
    this.#refused(new HubError({ code: 'forbidden', message: 'you may not be in this room any more' }));
  }

  /** Called after each connect, and when this client may have missed something of the log. */
  rejoin(): void {
    this.#sync.request();
  }

  leave(): void {
    this.#left = true;
    this.#held = [];
    this.#sync.close();
  }

  /** Leaves the room, and ends publishes that are still being tried. */
  close(): void {
    this.leave();
    this.#closed = true;
  }

  #take(message: Message): void {
    const action = this.#cursor.actionFor(message);
    if (action === 'deliver') this.#deliver(message);
    if (action === 'rejoin') {
      this.#held.push(message);
      this.rejoin();
    }
  }

  #deliver(message: Message): void {
    // A handler may have left the room in the middle of a page.
    if (this.#left) return;
    const isRepeat = this.#cursor.hasDelivered(message);
    this.#cursor.delivered(message);
    if (!isRepeat) this.#notifier.notify(this.#handlers.onMessage, message as Message & { body: Body });
  }

  async #join(attempts: Attempts): Promise<void> {
    for (let more = true; more; ) {
      const known = this.#cursor.position ?? this.#since;
      const before = known ? undefined : await this.#lookBack(attempts);
      const since = known ?? before;
      const { acked } = this.#cursor;
      const request = { room: this.name, ...(since && { since }), ...(acked && { acked }) };
      const reply = await attempts.call<JoinReply>('join', request);
      if (this.#left) return;
      if (!reply.recovered) this.#notifyLost(reply.lost ?? {}, before !== undefined);
      for (const message of reply.messages) this.#deliver(message);
      if (this.#left) return;
      this.#cursor.joined(reply, acked);
      more = reply.more;
    }
    if (this.#cursor.isInDoubt) this.rejoin();
    this.#resolveJoined?.();
    this.#deliverHeld();
  }

  /** The position from which the last messages come first. None of them was promised. */
  async #lookBack(attempts: Attempts): Promise<Position | undefined> {
    if (this.#recent === 0) return undefined;
    const { epoch, offset } = await attempts.call<JoinReply>('join', { room: this.name });
    return { epoch, offset: Math.max(0, offset - this.#recent) };
  }

  /**
   * @param hasLookedBack the log may have fewer old messages than were asked for, which is no loss; a lost
   *   acknowledged publish is one
   */
  #notifyLost(lost: Lost, hasLookedBack: boolean): void {
    if (!hasLookedBack) this.#notifier.notify(this.#handlers.onLost, lost);
    else if (lost.acked) this.#notifier.notify(this.#handlers.onLost, { acked: true });
  }

  #deliverHeld(): void {
    for (const message of this.#held.splice(0)) {
      const action = this.#cursor.actionFor(message);
      if (action === 'deliver') this.#deliver(message);
      // Messages that were held before the reply came are in the log. If one does not follow, the log is asked.
      if (action === 'rejoin') this.rejoin();
    }
  }

  #refused(error: HubError): void {
    this.#rejectJoined?.(error);
    this.#notifier.notify(this.#handlers.onRefused, error);
  }
}

/** Whether an event is one of the service's: a server that is bridged to the hub may have others of the same name. */
export function isMessage(payload: unknown): payload is Message {
  if (typeof payload !== 'object' || payload === null) return false;
  const { room, epoch, offset } = payload as Partial<Message>;
  return typeof room === 'string' && typeof epoch === 'string' && Number.isSafeInteger(offset);
}
