/** Rooms without messages that one caller is in. */
interface Held {
  /** Room -> the caller's sockets in it, and whether it is still without messages. */
  readonly rooms: Map<string, { sockets: number; readonly isUnused: () => boolean }>;
  lookedAt: number;
}

/** A room that has messages by now is found by a look at all of a caller's: at most this often, in milliseconds. */
const lookEveryMs = 1_000;

/**
 * How many rooms without messages each caller is in, on this instance. Nothing is kept of them, but who is there and
 * their subscriptions: some 2 KB each of Redis, and as much here.
 */
export class UnusedRooms {
  readonly #most: number;
  readonly #callers = new Map<string, Held>();

  /** @param most of one caller */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns whether the caller may be in one more */
  enter(caller: string, room: string, isUnused: () => boolean): boolean {
    const held = this.#callers.get(caller) ?? { rooms: new Map(), lookedAt: 0 };
    const known = held.rooms.get(room);
    if (known) {
      known.sockets += 1;
      return true;
    }
    if (held.rooms.size >= this.#most) dropUsed(held);
    if (held.rooms.size >= this.#most) return false;
    held.rooms.set(room, { sockets: 1, isUnused });
    this.#callers.set(caller, held);
    return true;
  }

  exit(caller: string, room: string): void {
    const held = this.#callers.get(caller);
    const known = held?.rooms.get(room);
    if (!held || !known) return;
    known.sockets -= 1;
    if (known.sockets === 0) held.rooms.delete(room);
    if (held.rooms.size === 0) this.#callers.delete(caller);
  }
}

function dropUsed(held: Held): void {
  const now = performance.now();
  if (now - held.lookedAt < lookEveryMs) return;
  held.lookedAt = now;
  for (const [room, { isUnused }] of held.rooms) if (!isUnused()) held.rooms.delete(room);
}
