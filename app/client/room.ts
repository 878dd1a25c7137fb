import type { Gap, JoinAnswer, Lost, Message, Position } from '../protocol/hub.ts';
import { Backoff } from './backoff.ts';
import { call } from './call.ts';
import type { HubSocket } from './connect.ts';
import { RoomCursor } from './cursor.ts';
import { HubError, mayRetry } from './errors.ts';
import { insistOn } from './insist.ts';
import { randomId } from './random-id.ts';

export interface RoomHandlers<Body> {
  /** Each message of the room, once and in order, through reconnects and changes of instance. */
  readonly onMessage: (message: Message & { readonly body: Body }) => void;
  /**
   * Something was lost that can't be delivered any more: the application reads its state anew from where it
   * keeps it. Messages go on behind it.
   */
  readonly onLost?: (lost: Lost) => void;
  /** The service does not let this client into the room (any more). */
  readonly onRefused?: (error: HubError) => void;
}

export interface JoinOptions {
  /** Go on from a position that was kept, for example over a reload of the page. @default from now on */
  readonly since?: Position;
  /**
   * So many messages that stand in the log already come first, as far as it has them; they are no loss where it
   * has not. With `since` it does nothing. @default 0
   */
  readonly recent?: number;
}

/** Milliseconds; ends well before the service's window of ids, 120 s, so that a repeat is recognized. */
const publishForMs = 60_000;

/** One room as this client has joined it. */
export class ClientRoom<Body = unknown> {
  readonly name: string;
  readonly #socket: HubSocket;
  readonly #handlers: RoomHandlers<Body>;
  readonly #cursor = new RoomCursor();
  /** What is heard while a join is under way. */
  #held: Message[] = [];
  #isJoining = false;
  #joinAgain = false;
  #left = false;
  #closed = false;
  #since: Position | undefined;
  readonly #recent: number;
  readonly #joined: Promise<void>;
  #settleJoined: { resolve: () => void; reject: (error: HubError) => void } | undefined;

  constructor(name: string, socket: HubSocket, handlers: RoomHandlers<Body>, options: JoinOptions) {
    this.name = name;
    this.#socket = socket;
    this.#handlers = handlers;
    this.#since = options.since;
    this.#recent = options.recent ?? 0;
    this.#joined = new Promise((resolve, reject) => {
      this.#settleJoined = { resolve, reject };
    });
    this.#joined.catch(() => undefined);
    if (socket.connected) this.rejoin();
  }

  /** Resolves when the room was first joined. @throws HubError when the service refuses */
  get joined(): Promise<void> {
    return this.#joined;
  }

  /** What was delivered last; `since` of a later join. */
  get position(): Position | undefined {
    return this.#cursor.position;
  }

  /**
   * Publishes, and tries again with the same id until it is answered: through a lost connection, another
   * instance, a Redis that was away.
   *
   * @param options.id 1–64 characters. @default a random one
   * @param options.forMs how long to try, in milliseconds. @default 60,000
   * @throws HubError `refused`: not written. `uncertain`: it may be. `forbidden`, `bad_request`: no use trying
   */
  async publish(body: Body, options: { id?: string; forMs?: number } = {}): Promise<Position> {
    const request = { room: this.name, id: options.id ?? randomId(), body };
    const { epoch, offset } = await insistOn<Position>(this.#socket, 'publish', request, {
      forMs: options.forMs ?? publishForMs,
      isOver: () => this.#closed,
    });
    this.#cursor.acknowledged({ epoch, offset });
    if (this.#cursor.isInDoubt) this.rejoin();
    return { epoch, offset };
  }

  /** Called with every `message` of the hub. */
  heard(message: Message): void {
    if (this.#left) return;
    if (this.#isJoining) this.#held.push(message);
    else this.#take(message);
  }

  /** The instance says that what we have may not be what the log has. */
  gap(_gap: Gap): void {
    this.rejoin();
  }

  expelled(): void {
    this.#refused(new HubError({ code: 'forbidden', message: 'you may not be in this room any more' }));
  }

  /** After each connect, and wherever the order breaks. */
  rejoin(): void {
    this.#joinAgain = true;
    if (!this.#isJoining) void this.#joinUntilLevel();
  }

  leave(): void {
    this.#left = true;
    this.#held = [];
  }

  /** Leaves, and ends the publishes that are still tried. */
  close(): void {
    this.leave();
    this.#closed = true;
  }

  #take(message: Message): void {
    const verdict = this.#cursor.judge(message);
    if (verdict === 'deliver') this.#deliver(message);
    if (verdict === 'rejoin') {
      this.#held.push(message);
      this.rejoin();
    }
  }

  #deliver(message: Message): void {
    const isRepeat = this.#cursor.hasDelivered(message);
    this.#cursor.delivered(message);
    if (!isRepeat) this.#handlers.onMessage(message as Message & { body: Body });
  }

  async #joinUntilLevel(): Promise<void> {
    const backoff = new Backoff();
    this.#isJoining = true;
    try {
      while (this.#joinAgain && !this.#left && this.#socket.connected) {
        this.#joinAgain = false;
        await this.#joinOnce().catch((error: unknown) => this.#joinFailed(error, backoff));
      }
    } finally {
      // In the same step as the last look at `joinAgain`: else one that is asked for in between is lost.
      this.#isJoining = false;
    }
  }

  /** @throws what is no answer of the service: a fault of a handler */
  async #joinFailed(error: unknown, backoff: Backoff): Promise<void> {
    if (!(error instanceof HubError)) throw error;
    if (!mayRetry(error.code)) return this.#refused(error);
    this.#joinAgain = true;
    await backoff.pause();
  }

  async #joinOnce(): Promise<void> {
    for (let more = true; more && !this.#left; ) {
      const known = this.#cursor.position ?? this.#since;
      const before = known ? undefined : await this.#lookBack();
      const since = known ?? before;
      const { acked } = this.#cursor;
      const request = { room: this.name, ...(since && { since }), ...(acked && { acked }) };
      const answer = await call<JoinAnswer>(this.#socket, 'join', request);
      if (this.#left) return;
      if (!answer.recovered && !before) this.#handlers.onLost?.(answer.lost ?? {});
      for (const message of answer.messages) this.#deliver(message);
      this.#cursor.joined(answer, acked);
      more = answer.more;
    }
    if (this.#cursor.isInDoubt) this.#joinAgain = true;
    this.#settleJoined?.resolve();
    this.#serveHeld();
  }

  /** Where to begin, so that what was said lately comes first; nothing of it was promised. */
  async #lookBack(): Promise<Position | undefined> {
    if (this.#recent === 0) return undefined;
    const { epoch, offset } = await call<JoinAnswer>(this.#socket, 'join', { room: this.name });
    return { epoch, offset: Math.max(0, offset - this.#recent) };
  }

  #serveHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const message of held) {
      const verdict = this.#cursor.judge(message);
      if (verdict === 'deliver') this.#deliver(message);
      // What was held before the answer came stands in the log: what does not follow is asked for there.
      if (verdict === 'rejoin') this.#joinAgain = true;
    }
  }

  #refused(error: HubError): void {
    this.#settleJoined?.reject(error);
    this.#handlers.onRefused?.(error);
  }
}
