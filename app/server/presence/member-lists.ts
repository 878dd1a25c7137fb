import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { PresencePosition } from '../../protocol/hub.ts';
import type { Members } from './store.ts';

/** A room's members with where the list stands. */
export interface MemberList extends PresencePosition {
  readonly members: readonly string[];
}

/** Undefined: the store can't tell now. @param known what is at hand: answered without members where that is still so */
export type ReadMembers = (room: string, known?: PresencePosition) => Promise<Members | undefined>;

/** Members of all lists that are kept at hand: some 20 MB. */
const mostKept = 200_000;
const keptMs = 60_000;
/** A list of so many is read this often at most, in milliseconds, however many ask while it changes. */
const largeList = 500;
const largeListEveryMs = 250;

/**
 * Reads a room's members once for all who ask at a time, and again only where they have changed: in a room of 10,000
 * the list is 300 KB, and everyone in it asks.
 */
export class MemberLists {
  readonly #read: ReadMembers;
  readonly #kept = new LRUCache<string, MemberList>({
    maxSize: mostKept,
    ttl: keptMs,
    sizeCalculation: ({ members }) => members.length + 1,
  });
  readonly #reads = new Map<string, SharedRead>();

  constructor(read: ReadMembers) {
    this.#read = read;
  }

  /** The list as it is at some moment from now on; undefined while the store can't tell. */
  of(room: string): Promise<MemberList | undefined> {
    const read =
      this.#reads.get(room) ??
      new SharedRead(
        () => this.#readOnce(room),
        () => this.#reads.delete(room),
      );
    this.#reads.set(room, read);
    return read.next();
  }

  async #readOnce(room: string): Promise<MemberList | undefined> {
    const kept = this.#kept.get(room);
    const answer = await this.#read(room, kept);
    if (!answer?.members) return answer && kept;
    const list = { epoch: answer.epoch, version: answer.version, members: answer.members };
    this.#kept.set(room, list);
    return list;
  }
}

/** One read at a time; who asks while it runs gets the next, since the one that runs may be older than the question. */
class SharedRead {
  readonly #read: () => Promise<MemberList | undefined>;
  readonly #onIdle: () => void;
  #running: Promise<void> | undefined;
  #next: Promise<MemberList | undefined> | undefined;

  constructor(read: () => Promise<MemberList | undefined>, onIdle: () => void) {
    this.#read = read;
    this.#onIdle = onIdle;
  }

  next(): Promise<MemberList | undefined> {
    if (!this.#running) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  #start(): Promise<MemberList | undefined> {
    const read = this.#read();
    this.#running = this.#untilNext(read);
    return read;
  }

  async #untilNext(read: Promise<MemberList | undefined>): Promise<void> {
    const list = await read.catch(() => undefined);
    if (list && list.members.length > largeList) await delay(largeListEveryMs);
    this.#running = undefined;
    if (!this.#next) this.#onIdle();
  }
}
