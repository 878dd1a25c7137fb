import { randomBytes } from 'node:crypto';
import { messageHead, messagePosition } from '../message.ts';
import { isEmpty, isNewcomer, madeAt, nameEmpty, nameEpoch } from './epochs.ts';
import {
  type Appended,
  type AppendRequest,
  type ConditionalRequest,
  type NewRoom,
  NewRoomError,
  type Page,
  type Precondition,
  pageBytes,
  pageMessages,
  type ReadRequest,
  RefusedError,
  type Rejected,
  type RoomLog,
  type VisibleFrom,
} from './log.ts';
import { makeEpochTag, type Position } from './position.ts';
import type { Retention } from './retention.ts';

interface Entry {
  readonly offset: number;
  readonly message: string;
  readonly time: number;
}

/** What one room has: dropped whole when nobody used it for as long as a meta lives in Redis. */
interface StoredRoom {
  epoch: string;
  head: number;
  bytes: number;
  entries: Entry[];
  usedAt: number;
  readonly ids: Map<string, { readonly offset: number; readonly time: number }>;
}

export interface MemoryLogOptions {
  readonly retention: Retention;
  /** Called with each appended message, in order. */
  readonly onAppend: (room: string, position: Position, message: string) => void;
  /** Bytes of all rooms' messages together; beyond them appends are refused. @default 256,000,000 */
  readonly mostBytes?: number;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

const defaultMostBytes = 256_000_000;
const sweepEveryMs = 60_000;

/** Rooms' logs in this process: the same contract as with Redis, for as long as the process lives. */
export class MemoryLog implements RoomLog {
  readonly #options: MemoryLogOptions;
  readonly #now: () => number;
  readonly #mostBytes: number;
  /** Tells the positions of this log's rooms without messages from those of another process, or of Redis. */
  #tag = randomBytes(6).toString('base64url');
  #rooms = new Map<string, StoredRoom>();
  #bytes = 0;
  #sweptAt = 0;

  constructor(options: MemoryLogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#mostBytes = options.mostBytes ?? defaultMostBytes;
  }

  get idWindowMs(): number {
    return this.#options.retention.idWindowMs;
  }

  async append({ room, subject, id, rest, newRoom }: AppendRequest): Promise<Appended> {
    const now = this.#now();
    this.#mayAppend(room, now, newRoom);
    const stored = this.#rooms.get(room);
    const idKey = id === undefined ? undefined : `${subject.length}:${subject}:${id}`;
    const first = stored && this.#firstOf(stored, idKey, now);
    if (stored && first !== undefined) {
      return { epoch: stored.epoch, offset: first, repeated: true };
    }
    const appended = this.#add(room, rest, now, newRoom);
    if (idKey !== undefined) this.#rooms.get(room)?.ids.set(idKey, { offset: appended.offset, time: now });
    return appended;
  }

  async appendIf(
    { room, beforeBody, newRoom }: ConditionalRequest,
    precondition: Precondition,
  ): Promise<Appended | Rejected> {
    const now = this.#now();
    this.#mayAppend(room, now, newRoom);
    const evaluation = precondition.evaluate();
    if ('rejected' in evaluation) return evaluation;
    return this.#add(room, `${beforeBody}${evaluation.body}}`, now, newRoom);
  }

  async read({ room, since, acked, visibleFrom = [] }: ReadRequest): Promise<Page> {
    const now = this.#now();
    this.#sweep(now);
    const stored = this.#rooms.get(room);
    if (stored) stored.usedAt = now;
    const head = { epoch: stored?.epoch ?? nameEmpty(now, this.#tag), offset: stored?.head ?? 0 };
    const ackedKept = !acked || (acked.epoch === head.epoch && acked.offset <= head.offset);
    if (!since) {
      return { head, ackedKept, complete: true, lost: 0, messages: [], end: head.offset, more: false };
    }
    const { from, lost } = this.#resolve(since, head, now);
    const firstVisible = Math.max(1, ...visibleFrom.map((each) => offsetIn(each, head)));
    const hidden = Math.max(0, Math.min(firstVisible - 1, head.offset) - from);
    const { messages, missing, end, more } = pageAfter(
      stored?.entries ?? [],
      Math.max(from, firstVisible - 1),
      head.offset,
    );
    const isTold = !isNewcomer(since, head, firstVisible);
    const gone = lost === undefined ? undefined : lost + missing + (isTold ? hidden : 0);
    return { head, ackedKept, complete: gone === 0, lost: gone, messages, end, more };
  }

  /** Forgets everything: positions of now mean nothing any more. */
  clear(): void {
    this.#rooms = new Map();
    this.#bytes = 0;
    this.#tag = randomBytes(6).toString('base64url');
  }

  /** Where to read on from, and how many messages are lost before that; undefined if that can't be known. */
  #resolve(since: Position, head: Position, now: number): { from: number; lost: number | undefined } {
    if (since.epoch === head.epoch) {
      const from = Math.min(since.offset, head.offset);
      return { from, lost: since.offset - from };
    }
    const at = madeAt(since.epoch);
    const isOwnEmpty = at !== undefined && since.epoch === nameEmpty(at, this.#tag);
    if (isOwnEmpty && at > now - this.#options.retention.metaAgeMs) {
      const from = Math.min(since.offset, head.offset);
      return { from, lost: since.offset - from };
    }
    const made = isEmpty(head.epoch) ? undefined : madeAt(head.epoch);
    // Who was in an older epoch has seen nothing of this one.
    const isLater = at !== undefined && made !== undefined && made > at;
    return { from: isLater ? 0 : head.offset, lost: undefined };
  }

  /** @throws NewRoomError, RefusedError */
  #mayAppend(room: string, now: number, newRoom: NewRoom | undefined): void {
    this.#sweep(now);
    if (newRoom?.untilMs !== undefined && !this.#rooms.has(room)) throw new NewRoomError(newRoom);
    if (this.#bytes > this.#mostBytes)
      throw new RefusedError('the memory for rooms is full: try again later');
  }

  #add(room: string, rest: string, now: number, newRoom: NewRoom | undefined): Appended {
    if (!this.#rooms.has(room)) newRoom?.made();
    const stored = this.#rooms.get(room) ?? this.#create(room, now);
    const position = { epoch: stored.epoch, offset: stored.head + 1 };
    const message = messageHead(room) + messagePosition(position) + rest;
    stored.head = position.offset;
    stored.usedAt = now;
    stored.entries.push({ offset: position.offset, message, time: now });
    this.#count(stored, Buffer.byteLength(message));
    this.#trim(stored, now);
    this.#options.onAppend(room, position, message);
    return { ...position, repeated: false };
  }

  #create(room: string, now: number): StoredRoom {
    const epoch = nameEpoch(now, makeEpochTag());
    const stored = { epoch, head: 0, bytes: 0, entries: [], usedAt: now, ids: new Map() };
    this.#rooms.set(room, stored);
    return stored;
  }

  #count(stored: StoredRoom, bytes: number): void {
    stored.bytes += bytes;
    this.#bytes += bytes;
  }

  #firstOf(stored: StoredRoom, idKey: string | undefined, now: number): number | undefined {
    const oldest = now - this.#options.retention.idWindowMs;
    // Insertion order is order of time, so the walk ends at the first id that still counts.
    for (const [key, { time }] of stored.ids) {
      if (time > oldest) break;
      stored.ids.delete(key);
    }
    return idKey === undefined ? undefined : stored.ids.get(idKey)?.offset;
  }

  #trim(stored: StoredRoom, now: number): void {
    const { maxLength, maxBytes, maxAgeMs } = this.#options.retention;
    const { entries } = stored;
    let drop = 0;
    while (drop < entries.length - 1) {
      const entry = entries[drop] as Entry;
      const kept = entries.length - drop;
      if (kept <= maxLength && stored.bytes <= maxBytes && entry.time >= now - maxAgeMs) break;
      this.#count(stored, -Buffer.byteLength(entry.message));
      drop += 1;
    }
    if (drop > 0) stored.entries = entries.slice(drop);
  }

  /** Once a minute: rooms that nobody published to lose their log, and those that nobody used their epoch. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < sweepEveryMs) return;
    this.#sweptAt = now;
    const { maxAgeMs, metaAgeMs, idWindowMs } = this.#options.retention;
    for (const [room, stored] of this.#rooms) {
      const last = stored.entries.at(-1)?.time ?? 0;
      if (now - last > maxAgeMs) {
        this.#count(stored, -stored.bytes);
        stored.entries = [];
      }
      if (now - last > idWindowMs) stored.ids.clear();
      if (now - stored.usedAt > metaAgeMs) this.#rooms.delete(room);
    }
  }
}

/** Void in a room that began anew behind the epoch that it names. */
function offsetIn({ offset, epoch }: VisibleFrom, head: Position): number {
  if (epoch === undefined || epoch === head.epoch) return offset;
  const [named, current] = [madeAt(epoch), madeAt(head.epoch)];
  return named !== undefined && current !== undefined && current > named ? 1 : offset;
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
  const first = entries[start]?.offset ?? head + 1;
  return { messages, missing: Math.max(0, first - offset - 1), end, more: end < head };
}
