import type { Condition, Withheld } from './condition.ts';
import {
  type Appended,
  type AppendRequest,
  type ConditionalRequest,
  type LogBounds,
  type Page,
  pageBytes,
  pageMessages,
  type ReadRequest,
  type RoomLog,
} from './log.ts';
import { messageHead, messagePosition } from './packet.ts';
import { makeEpoch, type Position } from './position.ts';

interface Entry {
  readonly offset: number;
  readonly message: string;
  readonly time: number;
}

/** What one room has: dropped whole when nobody used it for as long as a meta lives in Redis. */
interface StoredRoom {
  readonly epoch: string;
  head: number;
  bytes: number;
  entries: Entry[];
  usedAt: number;
  readonly ids: Map<string, { readonly offset: number; readonly time: number }>;
}

export interface MemoryLogOptions {
  readonly bounds: LogBounds;
  /** Called with each appended message, in order. */
  readonly onAppend: (room: string, position: Position, message: string) => void;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** Rooms' logs in this process: the same contract as with Redis, for as long as the process lives. */
export class MemoryLog implements RoomLog {
  readonly #options: MemoryLogOptions;
  readonly #now: () => number;
  readonly #rooms = new Map<string, StoredRoom>();
  #sweptAt = 0;

  constructor(options: MemoryLogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async append({ room, subject, id, rest }: AppendRequest): Promise<Appended> {
    const now = this.#now();
    const stored = this.#use(room, now);
    const idKey = id === undefined ? undefined : `${subject.length}:${subject}:${id}`;
    const first = this.#firstOf(stored, idKey, now);
    if (first !== undefined) return { epoch: stored.epoch, offset: first, repeated: true };
    const position = this.#add(stored, room, rest, now);
    if (idKey !== undefined) stored.ids.set(idKey, { offset: position.offset, time: now });
    return { ...position, repeated: false };
  }

  async appendIf(
    { room, beforeBody }: ConditionalRequest,
    condition: Condition,
  ): Promise<Appended | Withheld> {
    const decision = condition.decide();
    if ('withheld' in decision) return decision;
    const now = this.#now();
    const position = this.#add(this.#use(room, now), room, `${beforeBody}${decision.body}}`, now);
    return { ...position, repeated: false };
  }

  async read({ room, since, acked, visibleFrom = 1 }: ReadRequest): Promise<Page> {
    const stored = this.#use(room, this.#now());
    const head = { epoch: stored.epoch, offset: stored.head };
    const ackedKept = !acked || (acked.epoch === head.epoch && acked.offset <= head.offset);
    const nothing = { head, ackedKept, messages: [], end: head.offset, more: false };
    if (!since) return { ...nothing, complete: true, lost: 0 };
    if (since.epoch !== head.epoch) return { ...nothing, complete: false, lost: undefined };
    const from = Math.min(since.offset, head.offset);
    const visible = Math.max(from, visibleFrom - 1);
    const { messages, first, end, more } = pageAfter(stored.entries, visible, head.offset);
    const missing = visible < head.offset ? first - visible - 1 : 0;
    const lost = since.offset - from + missing;
    return { head, ackedKept, complete: lost === 0, lost, messages, end, more };
  }

  #add(stored: StoredRoom, room: string, rest: string, now: number): Position {
    const position = { epoch: stored.epoch, offset: stored.head + 1 };
    const message = messageHead(room) + messagePosition(position) + rest;
    stored.head = position.offset;
    stored.bytes += Buffer.byteLength(message);
    stored.entries.push({ offset: position.offset, message, time: now });
    this.#trim(stored, now);
    this.#options.onAppend(room, position, message);
    return position;
  }

  #use(room: string, now: number): StoredRoom {
    this.#sweep(now);
    let stored = this.#rooms.get(room);
    if (!stored) {
      stored = { epoch: makeEpoch(), head: 0, bytes: 0, entries: [], usedAt: now, ids: new Map() };
      this.#rooms.set(room, stored);
    }
    stored.usedAt = now;
    return stored;
  }

  #firstOf(stored: StoredRoom, idKey: string | undefined, now: number): number | undefined {
    const oldest = now - this.#options.bounds.idWindowMs;
    // Insertion order is order of time, so the walk ends at the first id that still counts.
    for (const [key, { time }] of stored.ids) {
      if (time > oldest) break;
      stored.ids.delete(key);
    }
    return idKey === undefined ? undefined : stored.ids.get(idKey)?.offset;
  }

  #trim(stored: StoredRoom, now: number): void {
    const { maxLength, maxBytes, maxAgeMs } = this.#options.bounds;
    const { entries } = stored;
    let drop = 0;
    while (drop < entries.length - 1) {
      const entry = entries[drop] as Entry;
      const kept = entries.length - drop;
      if (kept <= maxLength && stored.bytes <= maxBytes && entry.time >= now - maxAgeMs) break;
      stored.bytes -= Buffer.byteLength(entry.message);
      drop += 1;
    }
    if (drop > 0) stored.entries = entries.slice(drop);
  }

  /** Once a minute: rooms that nobody used lose their log, and later their epoch. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < 60_000) return;
    this.#sweptAt = now;
    const { maxAgeMs, metaAgeMs } = this.#options.bounds;
    for (const [room, stored] of this.#rooms) {
      if (now - stored.usedAt > metaAgeMs) this.#rooms.delete(room);
      else if (now - stored.usedAt > maxAgeMs) Object.assign(stored, { entries: [], bytes: 0 });
    }
  }
}

function pageAfter(entries: readonly Entry[], offset: number, head: number) {
  const start = entries.findIndex((entry) => entry.offset > offset);
  const messages: string[] = [];
  let bytes = 0;
  let end = head;
  for (const entry of start < 0 ? [] : entries.slice(start, start + pageMessages)) {
    bytes += Buffer.byteLength(entry.message);
    if (messages.length > 0 && bytes > pageBytes) break;
    messages.push(entry.message);
    end = entry.offset;
  }
  return { messages, first: entries[start]?.offset ?? head + 1, end, more: end < head };
}
