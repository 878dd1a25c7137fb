import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import { countFrame, type RoomCounters } from './counters.ts';
import type { Fanout } from './fanout.ts';
import type { FeedListener, RoomFeed, Whisper } from './feed.ts';
import { Frame } from './frame.ts';
import type { Page, ReadRequest, RoomLog } from './log.ts';
import { messageHead, positionIn } from './packet.ts';
import type { Position } from './position.ts';
import { Tail } from './tail.ts';
import { within } from './within.ts';

export interface RoomContext {
  readonly log: RoomLog;
  readonly feed: RoomFeed;
  readonly fanout: Fanout;
  readonly counters: RoomCounters;
  /** What goes before a message to make it a packet of this namespace. */
  readonly packetPrefix: string;
  /** Members are told that what they have may not be what the log has. */
  readonly tellGap: (room: Room, head: Position, lost: number | undefined) => void;
  /** Something that is not of the log was said about the room. */
  readonly onWhisper: (room: Room, whisper: Whisper) => void;
}

/** What waits while the log is read; beyond it the log is read once more instead. */
const mostHeldBytes = 1_000_000;
const retryReadMs = 500;
/** Who joins is turned away then, and tries again; the room goes on trying. */
const longestCatchUpMs = 3_000;

/**
 * One room on this instance: who is in it, and how far its members have been served.
 *
 * Every frame goes through the cursor: what is at or below it is dropped, what follows it is delivered, and
 * on a jump, or another epoch, the log is read. So members here see the log in order, once, without holes,
 * or are told.
 */
export class Room implements FeedListener {
  readonly name: string;
  readonly members = new Set<Socket>();
  readonly #context: RoomContext;
  readonly #tail = new Tail();
  #cursor: Position | undefined;
  #held: Frame[] = [];
  #heldBytes = 0;
  #catchingUp: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(name: string, context: RoomContext) {
    this.name = name;
    this.#context = context;
  }

  /**
   * Subscribes, then looks where the log stands: nothing can be appended in between unheard.
   * @throws Error when the feed or the log is away
   */
  async open(): Promise<void> {
    await this.#context.feed.subscribe(this.name, this);
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
    this.#context.feed.unsubscribe(this.name);
  }

  received(position: Position, packet: Buffer): void {
    const cursor = this.#cursor;
    if (cursor?.epoch === position.epoch && position.offset <= cursor.offset) return;
    countFrame(this.#context.counters, packet);
    const frame = Frame.of(position, packet);
    if (cursor && !this.#catchingUp && follows(cursor, position)) {
      this.#deliver(frame);
      return;
    }
    this.#hold(frame);
    if (cursor) void this.catchUp();
  }

  whispered(whisper: Whisper): void {
    this.#context.onWhisper(this, whisper);
  }

  resubscribed(): void {
    if (this.#cursor) void this.catchUp();
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
  async join(member: Socket, request: Omit<ReadRequest, 'room'>): Promise<Page | undefined> {
    const hot = this.#joinFromTail(member, request);
    if (hot) return hot;
    const before = this.#cursor;
    const page = await this.#context.log.read({ room: this.name, ...request });
    if (page.more || !member.connected) return page;
    const position = { epoch: page.head.epoch, offset: page.end };
    if (isBehind(this.#cursor, position) || isAhead(before, page.head)) {
      await within(longestCatchUpMs, this.catchUp(), 'the log does not answer');
    }
    const cursor = this.#cursor;
    if (!member.connected || !cursor) return undefined;
    const newer = this.#tail.between(position, cursor);
    // The room ran ahead further than the tail reaches: the client asks for one page more.
    if (!newer) return { ...page, more: true };
    this.members.add(member);
    const messages = [...page.messages, ...this.#texts(newer, request.visibleFrom)];
    return { ...page, head: cursor, end: cursor.offset, messages };
  }

  /** What most reconnects find: all that they missed is still in this instance's memory. */
  #joinFromTail(member: Socket, { since, acked, visibleFrom }: Omit<ReadRequest, 'room'>): Page | undefined {
    const cursor = this.#cursor;
    if (!cursor || this.#catchingUp || !member.connected) return undefined;
    if (acked && (acked.epoch !== cursor.epoch || acked.offset > cursor.offset)) return undefined;
    const frames = since ? this.#tail.between(since, cursor) : [];
    if (!frames) return undefined;
    this.members.add(member);
    return {
      head: cursor,
      complete: true,
      lost: 0,
      ackedKept: true,
      messages: this.#texts(frames, visibleFrom),
      end: cursor.offset,
      more: false,
    };
  }

  #texts(frames: readonly Frame[], visibleFrom = 1): string[] {
    const prefixBytes = Buffer.byteLength(this.#context.packetPrefix);
    return frames
      .filter(({ position }) => position.offset >= visibleFrom)
      .map((frame) => frame.message(prefixBytes));
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
      if (!page.complete) this.#context.tellGap(this, page.head, page.lost);
      for (const message of page.messages) this.#deliver(this.#frameOf(message));
      more = page.more;
      if (!more) this.#cursor = { epoch: page.head.epoch, offset: page.end };
    }
  }

  #frameOf(message: string): Frame {
    const position = positionIn(message, messageHead(this.name).length);
    return Frame.of(position, Buffer.from(`${this.#context.packetPrefix}${message}]`));
  }

  #deliver(frame: Frame): void {
    this.#cursor = frame.position;
    this.#tail.push(frame);
    if (this.members.size === 0) return;
    this.#context.counters.deliveries += this.members.size;
    this.#context.fanout(this.members, frame);
  }

  #hold(frame: Frame): void {
    this.#held.push(frame);
    this.#heldBytes += frame.bytes.length;
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
    for (const frame of held) {
      const cursor = this.#cursor as Position;
      if (follows(cursor, frame.position)) this.#deliver(frame);
      else if (frame.position.epoch !== cursor.epoch || frame.position.offset > cursor.offset)
        this.#again = true;
    }
    if (this.#again && !this.#catchingUp) void this.catchUp();
  }
}

function follows(cursor: Position, position: Position): boolean {
  return position.epoch === cursor.epoch && position.offset === cursor.offset + 1;
}

function isBehind(cursor: Position | undefined, position: Position): boolean {
  return !cursor || cursor.epoch !== position.epoch || cursor.offset < position.offset;
}

/** The log lacks what was served from it before it was read: a failover lost that. */
function isAhead(cursor: Position | undefined, head: Position): boolean {
  return cursor?.epoch === head.epoch && cursor.offset > head.offset;
}
