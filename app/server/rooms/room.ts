import { setTimeout as delay } from 'node:timers/promises';
import type { Broadcast } from './broadcast.ts';
import { countFrame, type RoomCounters } from './counters.ts';
import { follows, isEmpty, isNewcomer, isSame, wasEmptyBy } from './log/epochs.ts';
import { type Page, type ReadRequest, type RoomLog, UnreadableError } from './log/log.ts';
import type { Position } from './log/position.ts';
import { deliverTo, type Member } from './member.ts';
import { continuing, type LoggedMessage, messageHead, positionIn, RecentMessages } from './message.ts';
import type { RoomBroker, RoomSubscriber } from './pubsub/broker.ts';

export interface RoomContext<M extends Member> {
  readonly log: RoomLog;
  readonly broker: RoomBroker;
  readonly counters: RoomCounters;
  /** Another instance, or this one, broadcast something about the room that is not in its log. */
  readonly onBroadcast: (room: Room<M>, broadcast: Broadcast) => void;
}

type JoinRequest = Omit<ReadRequest, 'room'>;

/** A page, and where the room stood as it was asked for. */
interface ReadPage {
  readonly page: Page;
  readonly before: Position | undefined;
}

/** What waits while the log is read; beyond it the log is read once more instead. */
const mostHeldBytes = 1_000_000;
const retryReadMs = 500;
/** Who joins is turned away then, and tries again; the room goes on trying. */
const longestCatchUpMs = 3_000;

/**
 * One room on this instance: who is in it, and how far its members have been served.
 *
 * Every message goes through the cursor: what is at or below it is dropped, what follows it is delivered, and
 * on a jump, or another epoch, the log is read. So members here see the log in order, once, without holes,
 * or are notified.
 */
export class Room<M extends Member> implements RoomSubscriber {
  readonly name: string;
  readonly members = new Set<M>();
  readonly #context: RoomContext<M>;
  readonly #recent = new RecentMessages();
  /** Pages that are read now, each for all who ask for the same: after a failure hundreds come at once. */
  readonly #reads = new Map<string, Promise<ReadPage>>();
  #cursor: Position | undefined;
  /** The position without messages that the recent ones go on from, since it was followed from there without a break. */
  #beganAt: Position | undefined;
  #held: LoggedMessage[] = [];
  #heldBytes = 0;
  #catchingUp: Promise<void> | undefined;
  /** The log is to be read, once more if it is being read. */
  #again = false;
  #closed = false;

  constructor(name: string, context: RoomContext<M>) {
    this.name = name;
    this.#context = context;
  }

  /**
   * Subscribes, then looks where the log stands: nothing can be appended in between unheard.
   * @throws Error when the broker or the log is away
   */
  async open(): Promise<void> {
    await this.#context.broker.subscribe(this.name, this);
    try {
      const { head } = await this.#context.log.read({ room: this.name });
      this.#cursor = head;
    } catch (error) {
      this.close();
      throw error;
    }
    this.#serveHeld();
  }

  get cursor(): Position | undefined {
    return this.#cursor;
  }

  close(): void {
    this.#closed = true;
    this.#context.broker.unsubscribe(this.name);
  }

  received(position: Position, text: Buffer): void {
    const cursor = this.#cursor;
    if (cursor?.epoch === position.epoch && position.offset <= cursor.offset) return;
    countFrame(this.#context.counters, text);
    const message = { position, text };
    if (cursor && !this.#catchingUp && continues(cursor, position)) {
      this.#deliver(message);
      return;
    }
    this.#hold(message);
    this.#readAgain();
  }

  receivedBroadcast(broadcast: Broadcast): void {
    if (broadcast.kind === 'loss' || broadcast.kind === 'appended') this.#readAgain();
    else this.#context.onBroadcast(this, broadcast);
  }

  resubscribed(): void {
    this.#readAgain();
  }

  /** Reads the log from the cursor and serves the members, until the log has no more. */
  catchUp(): Promise<void> {
    this.#again = true;
    this.#catchingUp ??= this.#readUntilLevel().finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  /**
   * A page for a client that joins. Behind the last one it is a member: in the same step in which its
   * position equals the cursor, so that it misses nothing and gets nothing twice.
   * @throws Error when the log is away
   */
  async join(member: M, request: JoinRequest): Promise<Page | undefined> {
    const hot = this.#joinFromMemory(member, request);
    if (hot) return hot;
    const { page, before } = await this.#read(request);
    if (page.more || !member.connected) return page;
    const position = { epoch: page.head.epoch, offset: page.end };
    if (isBehind(this.#cursor, position) || isAhead(before, page.head)) {
      await within(longestCatchUpMs, this.catchUp(), () => new UnreadableError('the log is behind'));
    }
    const cursor = this.#cursor;
    if (!member.connected || !cursor) return undefined;
    const newer = isSame(position, cursor) ? [] : this.#messagesBehind(position, cursor);
    // The room ran ahead further than this instance remembers: the client asks for one page more.
    if (!newer) return { ...page, more: true };
    this.members.add(member);
    const messages = newer.length === 0 ? page.messages : [...page.messages, ...textsOf(newer)];
    return { ...page, head: cursor, end: cursor.offset, messages };
  }

  /** What most reconnects find: all that they missed is still in this instance's memory. */
  #joinFromMemory(member: M, { since, acked, visibleFrom = [] }: JoinRequest): Page | undefined {
    const cursor = this.#cursor;
    if (!cursor || this.#catchingUp || !member.connected) return undefined;
    if (acked && (acked.epoch !== cursor.epoch || acked.offset > cursor.offset)) return undefined;
    // Whether another epoch is one of this room's the log alone knows.
    if (since && visibleFrom.some(({ epoch = cursor.epoch }) => epoch !== cursor.epoch)) return undefined;
    const missed = since ? this.#messagesBehind(since, cursor) : [];
    if (!missed) return undefined;
    this.members.add(member);
    const firstVisible = Math.max(1, ...visibleFrom.map(({ offset }) => offset));
    const visible = missed.filter(({ position }) => position.offset >= firstVisible);
    const lost = since && isNewcomer(since, cursor, firstVisible) ? 0 : missed.length - visible.length;
    return {
      head: cursor,
      complete: lost === 0,
      lost,
      ackedKept: true,
      messages: textsOf(visible),
      end: cursor.offset,
      more: false,
    };
  }

  /** What came after a position, up to the cursor; undefined where that is more than is kept. */
  #messagesBehind(since: Position, cursor: Position): readonly LoggedMessage[] | undefined {
    if (isEmpty(cursor.epoch)) return wasEmptyBy(cursor, since) ? [] : undefined;
    if (this.#beganAt && wasEmptyBy(this.#beganAt, since)) {
      return this.#recent.between({ epoch: cursor.epoch, offset: since.offset }, cursor);
    }
    return this.#recent.between(since, cursor);
  }

  #read(request: JoinRequest): Promise<ReadPage> {
    const key = JSON.stringify([request.since, request.acked, request.visibleFrom]);
    const underWay = this.#reads.get(key);
    if (underWay) return underWay;
    const before = this.#cursor;
    const read = this.#context.log
      .read({ ...request, room: this.name })
      .then((page) => ({ page, before }))
      .finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }

  /** While the room is opened the read waits for its end: what came after the head was asked for is not in it. */
  #readAgain(): void {
    if (this.#cursor) void this.catchUp();
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
      const since = this.#cursor as Position;
      const page = await this.#context.log.read({ room: this.name, since });
      if (!page.complete) this.#loseTrack(page);
      for (const text of page.messages) this.#deliver(this.#logged(text));
      more = page.more;
      const end = { epoch: page.head.epoch, offset: page.end };
      if (!more && !isSame(this.#cursor as Position, end)) this.#cursor = end;
    }
  }

  /** Members are notified that what they have may not be what the log has. */
  #loseTrack({ head, lost }: Page): void {
    this.#beganAt = undefined;
    this.#recent.clear();
    this.#context.counters.gaps += this.members.size;
    const gap = { room: this.name, ...head, ...(lost === undefined ? {} : { lost }) };
    for (const member of this.members) member.send('gap', gap);
  }

  #logged(text: string): LoggedMessage {
    return { position: positionIn(text, messageHead(this.name).length), text: Buffer.from(text) };
  }

  #deliver(received: LoggedMessage): void {
    const message = this.#continued(received);
    this.#cursor = message.position;
    this.#recent.push(message);
    if (this.members.size === 0) return;
    this.#context.counters.deliveries += this.members.size;
    deliverTo(this.members, (format) => format.message(message.text));
  }

  /**
   * The first message of a room says what comes before it: the position that members here were given, at which there
   * was nothing. It differs from instance to instance, so the log can't say it.
   */
  #continued(message: LoggedMessage): LoggedMessage {
    const cursor = this.#cursor as Position;
    const { position, text } = message;
    if (cursor.epoch === position.epoch) return message;
    this.#beganAt = undefined;
    if (!isEmpty(cursor.epoch) || !follows(cursor, position)) return message;
    this.#beganAt = cursor;
    const said = continuing(text.toString(), messageHead(this.name).length, position, cursor);
    return { position, text: Buffer.from(said) };
  }

  #hold(message: LoggedMessage): void {
    this.#held.push(message);
    this.#heldBytes += message.text.length;
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
      const cursor = this.#cursor as Position;
      if (continues(cursor, position)) this.#deliver(message);
      else if (position.epoch !== cursor.epoch || position.offset > cursor.offset) this.#again = true;
    }
    if (this.#again && !this.#catchingUp) void this.catchUp();
  }
}

/**
 * Nothing lies between, for sure. The first message of a room says no more than that it is the first of its epoch: what
 * stood before it, while this instance was not subscribed, a loss of all data may have taken. The log knows.
 */
function continues(cursor: Position, position: Position): boolean {
  return !isEmpty(cursor.epoch) && follows(cursor, position);
}

function isBehind(cursor: Position | undefined, position: Position): boolean {
  if (!cursor) return true;
  if (isSame(cursor, position)) return false;
  return cursor.epoch !== position.epoch || cursor.offset < position.offset;
}

/** The log lacks what was served from it before it was read: a failover lost that. */
function isAhead(cursor: Position | undefined, head: Position): boolean {
  return cursor?.epoch === head.epoch && cursor.offset > head.offset;
}

function textsOf(messages: readonly LoggedMessage[]): string[] {
  return messages.map(({ text }) => text.toString());
}

/** Waits for `promise`, so long at most. @throws what `late` makes when the time is up, and what `promise` rejects with */
async function within<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
