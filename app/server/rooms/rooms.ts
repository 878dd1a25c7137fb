import { isEmpty } from './log/epochs.ts';
import type { Page, ReadRequest } from './log/log.ts';
import type { Member } from './member.ts';
import type { MemberRates } from './membership/member-rates.ts';
import { Room, type RoomContext } from './room.ts';

/** A room that was left by its last member here is followed this much longer: most come back. */
const lingerMs = 10_000;
/** One without messages has nothing that would have to be read again. */
const lingerUnusedMs = 1_000;

/** What is asked of each who joins a room without messages. */
export type UnusedRates<M extends Member> = Pick<MemberRates<M>, 'joinUnused' | 'leaveUnused'>;

/** Notified of each client that became a member of a room here, and of each that is one no more. */
export interface MembershipListener<M extends Member = Member> {
  joined(member: M, room: string): void;
  left(member: M, room: string): void;
}

/** The rooms of one hub that have members on this instance. */
export class Rooms<M extends Member> {
  readonly #context: RoomContext<M>;
  readonly #membership: MembershipListener<M> | undefined;
  readonly #rates: UnusedRates<M> | undefined;
  /** Rooms without messages that a member was let into. */
  readonly #unused = new Map<M, Set<string>>();
  readonly #rooms = new Map<string, OpenRoom<M>>();
  readonly #joined = new Map<M, Set<string>>();

  constructor(context: RoomContext<M>, membership?: MembershipListener<M>, rates?: UnusedRates<M>) {
    this.#context = context;
    this.#membership = membership;
    this.#rates = rates;
  }

  /**
   * Calls for one member and room must not overlap with `leave`.
   *
   * @returns undefined if the member went away meanwhile
   * @throws RpcError where the member may not be in one more room without messages, Error when the room can't be
   * opened or read now
   */
  async join(member: M, request: ReadRequest): Promise<Page | undefined> {
    if (!member.connected) return undefined;
    const { room: name } = request;
    const open = this.#open(name);
    open.pending += 1;
    try {
      await open.ready;
      this.#enterUnused(member, open.room);
      const page = await open.room.join(member, request);
      if (open.room.members.has(member)) this.#remember(member, name);
      return page;
    } finally {
      if (!open.room.members.has(member)) this.#exitUnused(member, name);
      open.pending -= 1;
      this.#closeWhenUnused(open);
    }
  }

  leave(member: M, name: string): void {
    if (deleteIn(this.#joined, member, name)) this.#membership?.left(member, name);
    this.#exitUnused(member, name);
    const open = this.#rooms.get(name);
    if (!open) return;
    open.room.members.delete(member);
    this.#closeWhenUnused(open);
  }

  /** The member is gone: at once, whatever it still waits for. */
  forget(member: M): void {
    for (const name of this.#joined.get(member) ?? []) this.leave(member, name);
  }

  /** The rooms that are open here now. */
  all(): Room<M>[] {
    return Array.from(this.#rooms.values(), ({ room }) => room);
  }

  /** The room, if it is open here now. */
  find(name: string): Room<M> | undefined {
    return this.#rooms.get(name)?.room;
  }

  /** Stops following every room. */
  close(): void {
    for (const { room, closing } of this.#rooms.values()) {
      clearTimeout(closing);
      room.close();
    }
    this.#rooms.clear();
  }

  #open(name: string): OpenRoom<M> {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = new Room<M>(name, this.#context);
    const open: OpenRoom<M> = { room, ready: room.open(), pending: 0 };
    this.#rooms.set(name, open);
    open.ready.catch(() => this.#rooms.delete(name));
    return open;
  }

  #remember(member: M, name: string): void {
    const names = this.#joined.get(member) ?? new Set();
    if (names.has(name)) return;
    this.#joined.set(member, names.add(name));
    this.#membership?.joined(member, name);
  }

  #enterUnused(member: M, room: Room<M>): void {
    const names = this.#unused.get(member) ?? new Set();
    if (!this.#rates || names.has(room.name) || !isUnused(room)) return;
    this.#rates.joinUnused(member, room.name, () => isUnused(room));
    this.#unused.set(member, names.add(room.name));
  }

  #exitUnused(member: M, name: string): void {
    if (deleteIn(this.#unused, member, name)) this.#rates?.leaveUnused(member, name);
  }

  has(member: M, name: string): boolean {
    return this.#joined.get(member)?.has(name) ?? false;
  }

  /** How many rooms the member is in. */
  countOf(member: M): number {
    return this.#joined.get(member)?.size ?? 0;
  }

  #closeWhenUnused(open: OpenRoom<M>): void {
    if (open.closing || isUsed(open)) return;
    open.closing = setTimeout(
      () => {
        open.closing = undefined;
        if (isUsed(open) || this.#rooms.get(open.room.name) !== open) return;
        this.#rooms.delete(open.room.name);
        open.room.close();
      },
      isUnused(open.room) ? lingerUnusedMs : lingerMs,
    ).unref();
  }
}

interface OpenRoom<M extends Member> {
  readonly room: Room<M>;
  /** Rejected when the room can't be followed now: the next one who joins tries again. */
  readonly ready: Promise<void>;
  /** Members that are joining. */
  pending: number;
  closing?: NodeJS.Timeout | undefined;
}

/** Nothing is kept of a member that is in no room. @returns whether the name was there */
function deleteIn<M>(namesOf: Map<M, Set<string>>, member: M, name: string): boolean {
  const names = namesOf.get(member);
  if (!names?.delete(name)) return false;
  if (names.size === 0) namesOf.delete(member);
  return true;
}

/** Nobody has published to it. */
function isUnused({ cursor }: Pick<Room<Member>, 'cursor'>): boolean {
  return cursor !== undefined && isEmpty(cursor.epoch);
}

function isUsed<M extends Member>({ room, pending }: OpenRoom<M>): boolean {
  return pending > 0 || room.members.size > 0;
}
