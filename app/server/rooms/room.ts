import type { Broadcast } from './broadcast.ts';
import { type CursorContext, type CursorListener, RoomCursor } from './cursor.ts';
import { isNewcomer, isSame } from './log/epochs.ts';
import { type Page, type ReadRequest, UnreadableError } from './log/log.ts';
import type { Position } from './log/position.ts';
import { deliverTo, type Member } from './member.ts';
import type { LoggedMessage, RecentMessage } from './message.ts';

export interface RoomContext<M extends Member> extends CursorContext {
  /** Another instance, or this one, broadcast something about the room that is not in its log. */
  readonly onBroadcast: (room: Room<M>, broadcast: Broadcast) => void;
}

type JoinRequest = Omit<ReadRequest, 'room'>;

/** A page, and where the room stood as it was asked for. */
interface ReadPage {
  readonly page: Page;
  readonly before: Position | undefined;
}

/** Who joins is turned away then, and tries again; the room goes on trying. */
const longestCatchUpMs = 3_000;

/** One room on this instance: who is in it. They are served up to its cursor, and join where that stands. */
export class Room<M extends Member> implements CursorListener {
  readonly name: string;
  readonly members = new Set<M>();
  readonly #context: RoomContext<M>;
  readonly #cursor: RoomCursor;
  /** Pages that are read now, each for all who ask for the same: after a failure hundreds come at once. */
  readonly #reads = new Map<string, Promise<ReadPage>>();

  constructor(name: string, context: RoomContext<M>) {
    this.name = name;
    this.#context = context;
    this.#cursor = new RoomCursor(name, context, this);
  }

  /** @throws Error when the broker or the log is away */
  open(): Promise<void> {
    return this.#cursor.open();
  }

  /** Up to where members here are served; undefined while the room is opened. */
  get cursor(): Position | undefined {
    return this.#cursor.position;
  }

  close(): void {
    this.#cursor.close();
  }

  delivered({ bytes }: LoggedMessage): void {
    if (this.members.size === 0) return;
    this.#context.counters.deliveries += this.members.size;
    deliverTo(this.members, (format) => format.message(bytes));
  }

  /** Members are notified that what they have may not be what the log has. */
  lostTrack({ head, lost }: Page): void {
    this.#context.counters.gaps += this.members.size;
    const gap = { room: this.name, ...head, ...(lost === undefined ? {} : { lost }) };
    for (const member of this.members) member.send('gap', gap);
  }

  broadcast(broadcast: Broadcast): void {
    this.#context.onBroadcast(this, broadcast);
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
    if (isBehind(this.cursor, position) || isAhead(before, page.head)) {
      await within(longestCatchUpMs, this.#cursor.catchUp(), () => new UnreadableError('the log is behind'));
    }
    const { cursor } = this;
    if (!member.connected || !cursor) return undefined;
    const newer = isSame(position, cursor) ? [] : this.#cursor.messagesBehind(position);
    // The room ran ahead further than this instance remembers: the client asks for one page more.
    if (!newer) return { ...page, more: true };
    this.members.add(member);
    const messages = newer.length === 0 ? page.messages : [...page.messages, ...textsOf(newer)];
    return { ...page, head: cursor, end: cursor.offset, messages };
  }

  /** What most reconnects find: all that they missed is still in this instance's memory. */
  #joinFromMemory(member: M, { since, acked, visibleFrom = [] }: JoinRequest): Page | undefined {
    const { cursor } = this;
    if (!cursor || this.#cursor.isCatchingUp || !member.connected) return undefined;
    if (acked && (acked.epoch !== cursor.epoch || acked.offset > cursor.offset)) return undefined;
    // Whether another epoch is one of this room's the log alone knows.
    if (since && visibleFrom.some(({ epoch = cursor.epoch }) => epoch !== cursor.epoch)) return undefined;
    const missed = since ? this.#cursor.messagesBehind(since) : [];
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

  #read(request: JoinRequest): Promise<ReadPage> {
    const key = JSON.stringify([request.since, request.acked, request.visibleFrom]);
    const underWay = this.#reads.get(key);
    if (underWay) return underWay;
    const before = this.cursor;
    const read = this.#context.log
      .read({ ...request, room: this.name })
      .then((page) => ({ page, before }))
      .finally(() => this.#reads.delete(key));
    this.#reads.set(key, read);
    return read;
  }
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

function textsOf(messages: readonly RecentMessage[]): string[] {
  return messages.map(({ text }) => text);
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
