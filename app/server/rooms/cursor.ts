import { setTimeout as delay } from 'node:timers/promises';
import type { Broadcast } from './broadcast.ts';
import { countFrame, type RoomCounters } from './counters.ts';
import { follows, isEmpty, isSame, wasEmptyBy } from './log/epochs.ts';
import type { Page, RoomLog } from './log/log.ts';
import type { Position } from './log/position.ts';
import {
  continuing,
  type LoggedMessage,
  messageHead,
  positionIn,
  type RecentMessage,
  RecentMessages,
} from './message.ts';
import type { RoomBroker, RoomSubscriber } from './pubsub/broker.ts';

export interface CursorContext {
  readonly log: RoomLog;
  readonly broker: RoomBroker;
  readonly counters: RoomCounters;
}

/** Whom a cursor serves. */
export interface CursorListener {
  /** The message that follows the ones before. */
  delivered(message: LoggedMessage): void;
  /** What was delivered may not be what the log has. */
  lostTrack(page: Page): void;
  /** Another instance, or this one, broadcast something about the room that is not in its log. */
  broadcast(broadcast: Broadcast): void;
}

/** What waits while the log is read; beyond it the log is read once more instead. */
const mostHeldBytes = 1_000_000;
const retryReadMs = 500;

/**
 * How far one room is served on this instance.
 *
 * Every message goes through it: what is at or below its position is dropped, what follows that is delivered, and on a
 * jump, or another epoch, the log is read. So its listener hears the log in order, once, without holes, or is notified.
 */
export class RoomCursor implements RoomSubscriber {
  readonly #room: string;
  readonly #context: CursorContext;
  readonly #listener: CursorListener;
  readonly #recent = new RecentMessages();
  #position: Position | undefined;
  /** The position without messages that the recent ones go on from, since it was followed from there without a break. */
  #beganAt: Position | undefined;
  #held: LoggedMessage[] = [];
  #heldBytes = 0;
  #catchingUp: Promise<void> | undefined;
  /** The log is to be read, once more if it is being read. */
  #again = false;
  #closed = false;

  constructor(room: string, context: CursorContext, listener: CursorListener) {
    this.#room = room;
    this.#context = context;
    this.#listener = listener;
  }

  /**
   * Subscribes, then looks where the log stands: nothing can be appended in between unheard.
   * @throws Error when the broker or the log is away
   */
  async open(): Promise<void> {
    await this.#context.broker.subscribe(this.#room, this);
    try {
      const { head } = await this.#context.log.read({ room: this.#room });
      this.#position = head;
    } catch (error) {
      this.close();
      throw error;
    }
    this.#serveHeld();
  }

  get position(): Position | undefined {
    return this.#position;
  }

  /** The log is being read: what it has is not served yet. */
  get isCatchingUp(): boolean {
    return this.#catchingUp !== undefined;
  }

  close(): void {
    this.#closed = true;
    this.#context.broker.unsubscribe(this.#room);
  }

  isServed({ epoch, offset }: Position): boolean {
    const cursor = this.#position;
    return cursor?.epoch === epoch && offset <= cursor.offset;
  }

  appended(position: Position, text: string): void {
    const cursor = this.#position;
    if (!cursor || this.#catchingUp) return;
    // The sender may join with it at once, and must not be told from memory what was before that.
    if (isOfAnotherEpoch(cursor, position)) return void this.catchUp();
    if (!continues(cursor, position)) return;
    const bytes = Buffer.from(text);
    countFrame(this.#context.counters, bytes);
    this.#deliver({ position, text, bytes });
  }

  received(position: Position, bytes: Buffer): void {
    if (this.isServed(position)) return;
    const cursor = this.#position;
    countFrame(this.#context.counters, bytes);
    const message = { position, text: bytes.toString(), bytes };
    if (cursor && !this.#catchingUp && continues(cursor, position)) {
      this.#deliver(message);
      return;
    }
    this.#hold({ ...message, bytes: Buffer.from(bytes) });
    this.#readAgain();
  }

  receivedBroadcast(broadcast: Broadcast): void {
    if (broadcast.kind === 'loss' || broadcast.kind === 'appended') this.#readAgain();
    else this.#listener.broadcast(broadcast);
  }

  resubscribed(): void {
    this.#readAgain();
  }

  /** Reads the log from the position and serves the members, until the log has no more. */
  catchUp(): Promise<void> {
    this.#again = true;
    this.#catchingUp ??= this.#readUntilLevel().finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  /** What came after `since`, up to the position, which must be known; undefined where that is more than is kept. */
  messagesBehind(since: Position): readonly RecentMessage[] | undefined {
    const cursor = this.#position as Position;
    if (isEmpty(cursor.epoch)) return wasEmptyBy(cursor, since) ? [] : undefined;
    if (this.#beganAt && wasEmptyBy(this.#beganAt, since)) {
      return this.#recent.between({ epoch: cursor.epoch, offset: since.offset }, cursor);
    }
    return this.#recent.between(since, cursor);
  }

  /** While the room is opened the read waits for its end: what came after the head was asked for is not in it. */
  #readAgain(): void {
    if (this.#position) void this.catchUp();
    else this.#again = true;
  }

  async #readUntilLevel(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      // What is held now stands in the log already: an append and its publication are one step.
      this.#dropHeld();
      try {
        await this.#readOn();
        this.#serveHeld();
      } catch {
        this.#again = true;
        await delay(retryReadMs * (0.5 + Math.random()));
      }
    }
  }

  async #readOn(): Promise<void> {
    for (let more = true; more && !this.#closed; ) {
      const since = this.#position as Position;
      const page = await this.#context.log.read({ room: this.#room, since });
      if (!page.complete) this.#loseTrack(page);
      for (const text of page.messages) this.#deliver(this.#logged(text));
      more = page.more;
      const end = { epoch: page.head.epoch, offset: page.end };
      if (!more && !isSame(this.#position as Position, end)) this.#position = end;
    }
  }

  #loseTrack(page: Page): void {
    this.#beganAt = undefined;
    this.#recent.clear();
    this.#listener.lostTrack(page);
  }

  #logged(text: string): LoggedMessage {
    return { position: positionIn(text, messageHead(this.#room).length), text, bytes: Buffer.from(text) };
  }

  #deliver(received: LoggedMessage): void {
    const message = this.#continued(received);
    this.#position = message.position;
    this.#recent.push(message);
    this.#listener.delivered(message);
  }

  /**
   * The first message of a room says what comes before it: the position that members here were given, at which there
   * was nothing. It differs from instance to instance, so the log can't say it.
   */
  #continued(message: LoggedMessage): LoggedMessage {
    const cursor = this.#position as Position;
    const { position, text } = message;
    if (cursor.epoch === position.epoch) return message;
    this.#beganAt = undefined;
    if (!isEmpty(cursor.epoch) || !follows(cursor, position)) return message;
    this.#beganAt = cursor;
    const said = continuing(text, messageHead(this.#room).length, position, cursor);
    return { position, text: said, bytes: Buffer.from(said) };
  }

  #hold(message: LoggedMessage): void {
    this.#held.push(message);
    this.#heldBytes += message.bytes.length;
    if (this.#heldBytes <= mostHeldBytes) return;
    this.#dropHeld();
    this.#again = true;
  }

  #dropHeld(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }

  #serveHeld(): void {
    const held = this.#held;
    this.#dropHeld();
    for (const message of held) {
      const { position } = message;
      const cursor = this.#position as Position;
      if (continues(cursor, position)) this.#deliver(message);
      else if (position.epoch !== cursor.epoch || position.offset > cursor.offset) this.#again = true;
    }
    if (this.#again && !this.#catchingUp) void this.catchUp();
  }
}

/** What is served here is no longer how the log goes on: the room began anew, or a failover lost its end. */
function isOfAnotherEpoch(cursor: Position, { epoch }: Position): boolean {
  return !isEmpty(cursor.epoch) && epoch !== cursor.epoch;
}

/**
 * Nothing lies between, for sure. The first message of a room says no more than that it is the first of its epoch: what
 * stood before it, while this instance was not subscribed, a loss of all data may have taken. The log knows.
 */
function continues(cursor: Position, position: Position): boolean {
  return !isEmpty(cursor.epoch) && follows(cursor, position);
}
