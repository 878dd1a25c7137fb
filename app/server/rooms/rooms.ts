import type { Socket } from 'socket.io';
import type { Page, ReadRequest } from './log.ts';
import { Room, type RoomContext } from './room.ts';

/** A room that was left by its last member here is followed this much longer: most come back. */
const lingerMs = 10_000;

/** Told of each socket that became a member of a room here, and of each that is one no more. */
export interface MembershipListener {
  joined(socket: Socket, room: string): void;
  left(socket: Socket, room: string): void;
}

/** The rooms of one namespace that have members on this instance. */
export class Rooms {
  readonly #context: RoomContext;
  readonly #membership: MembershipListener | undefined;
  readonly #rooms = new Map<string, OpenRoom>();
  readonly #joined = new WeakMap<Socket, Set<string>>();

  constructor(context: RoomContext, membership?: MembershipListener) {
    this.#context = context;
    this.#membership = membership;
  }

  /**
   * Calls for one socket and room must not overlap with `leave`.
   *
   * @returns undefined if the socket went away meanwhile
   * @throws Error when the room can't be opened or read now
   */
  async join(socket: Socket, { room: name, ...request }: ReadRequest): Promise<Page | undefined> {
    if (!socket.connected) return undefined;
    const open = this.#open(name);
    open.pending += 1;
    try {
      await open.ready;
      const page = await open.room.join(socket, request);
      if (open.room.members.has(socket)) this.#remember(socket, name);
      return page;
    } finally {
      open.pending -= 1;
      this.#closeWhenUnused(open);
    }
  }

  leave(socket: Socket, name: string): void {
    if (this.#joined.get(socket)?.delete(name)) this.#membership?.left(socket, name);
    const open = this.#rooms.get(name);
    if (!open) return;
    open.room.members.delete(socket);
    this.#closeWhenUnused(open);
  }

  /** The socket is gone: at once, whatever it still waits for. */
  forget(socket: Socket): void {
    for (const name of this.#joined.get(socket) ?? []) this.leave(socket, name);
  }

  /** The rooms that are open here now. */
  all(): Room[] {
    return Array.from(this.#rooms.values(), ({ room }) => room);
  }

  /** Stops following every room. */
  close(): void {
    for (const { room, closing } of this.#rooms.values()) {
      clearTimeout(closing);
      room.close();
    }
    this.#rooms.clear();
  }

  #open(name: string): OpenRoom {
    const known = this.#rooms.get(name);
    if (known) return known;
    const room = new Room(name, this.#context);
    const open: OpenRoom = { room, ready: room.open(), pending: 0 };
    this.#rooms.set(name, open);
    open.ready.catch(() => this.#rooms.delete(name));
    return open;
  }

  #remember(socket: Socket, name: string): void {
    const names = this.#joined.get(socket) ?? new Set();
    if (names.has(name)) return;
    this.#joined.set(socket, names.add(name));
    this.#membership?.joined(socket, name);
  }

  has(socket: Socket, name: string): boolean {
    return this.#joined.get(socket)?.has(name) ?? false;
  }

  /** How many rooms the socket is in. */
  countOf(socket: Socket): number {
    return this.#joined.get(socket)?.size ?? 0;
  }

  #closeWhenUnused(open: OpenRoom): void {
    if (open.closing || isUsed(open)) return;
    open.closing = setTimeout(() => {
      open.closing = undefined;
      if (isUsed(open) || this.#rooms.get(open.room.name) !== open) return;
      this.#rooms.delete(open.room.name);
      open.room.close();
    }, lingerMs).unref();
  }
}

interface OpenRoom {
  readonly room: Room;
  /** Rejected when the room can't be followed now: the next one who joins tries again. */
  readonly ready: Promise<void>;
  /** Sockets that are joining. */
  pending: number;
  closing?: NodeJS.Timeout | undefined;
}

function isUsed({ room, pending }: OpenRoom): boolean {
  return pending > 0 || room.members.size > 0;
}
