/** What of one room is known on this instance. */
export interface LocalRoom {
  readonly name: string;
  /** Subject -> its sockets here. */
  readonly sockets: Map<string, number>;
  /** Subjects that came or left since they were registered; which of both is looked up at that time. */
  readonly unregistered: Set<string>;
  /** Counts whoever comes first or leaves last. */
  changes: number;
  /** When what could not be registered is tried again. */
  retryAt: number;
  /** When it was last compared with what is registered; 0: at the next occasion. */
  verifiedAt: number;
}

/** Who is in which room on this instance: many sockets of a subject are one. */
export class LocalPresence {
  readonly #rooms = new Map<string, LocalRoom>();
  /** Those that may have something to register: in a storm all of them would be looked at over and over. */
  readonly #changed = new Set<LocalRoom>();

  /** @returns whether it is the subject's first socket there */
  enter(name: string, subject: string): boolean {
    const room = this.#rooms.get(name) ?? this.#open(name);
    const sockets = room.sockets.get(subject) ?? 0;
    room.sockets.set(subject, sockets + 1);
    if (sockets === 0) this.#change(room, subject);
    return sockets === 0;
  }

  /** @returns whether it was the subject's last socket there */
  exit(name: string, subject: string): boolean {
    const room = this.#rooms.get(name);
    const sockets = room?.sockets.get(subject);
    if (!room || !sockets) return false;
    if (sockets > 1) room.sockets.set(subject, sockets - 1);
    else room.sockets.delete(subject);
    if (sockets === 1) this.#change(room, subject);
    return sockets === 1;
  }

  subjectsOf(name: string): string[] {
    return [...(this.#rooms.get(name)?.sockets.keys() ?? [])];
  }

  changesOf(name: string): number {
    return this.#rooms.get(name)?.changes ?? 0;
  }

  /** Rooms with something to register; those whose last try failed not before their time. */
  unregistered(now = Number.POSITIVE_INFINITY): LocalRoom[] {
    for (const room of this.#changed) if (room.unregistered.size === 0) this.#changed.delete(room);
    return [...this.#changed].filter(({ retryAt }) => retryAt <= now);
  }

  /** Rooms that were last verified before that time. Asked each second, of all of them: nothing is made of the others. */
  unverified(before: number): LocalRoom[] {
    const unverified: LocalRoom[] = [];
    for (const room of this.#rooms.values()) if (room.verifiedAt < before) unverified.push(room);
    return unverified;
  }

  /** These rooms are to be verified, and registered without a wait. */
  doubt(mayLack: (name: string) => boolean): void {
    for (const [name, room] of this.#rooms) if (mayLack(name)) room.verifiedAt = room.retryAt = 0;
  }

  forgetWhenEmpty({ name }: LocalRoom): void {
    const room = this.#rooms.get(name);
    if (room && room.sockets.size + room.unregistered.size === 0) this.#rooms.delete(name);
  }

  /** What is registered of this subject may not be what is so. One that was forgotten meanwhile says nothing of it. */
  mark(room: LocalRoom, subject: string): void {
    if (this.#rooms.get(room.name) !== room) return;
    room.unregistered.add(subject);
    this.#changed.add(room);
  }

  #change(room: LocalRoom, subject: string): void {
    room.changes += 1;
    this.mark(room, subject);
  }

  #open(name: string): LocalRoom {
    const room: LocalRoom = {
      name,
      sockets: new Map(),
      unregistered: new Set(),
      changes: 0,
      retryAt: 0,
      verifiedAt: Date.now(),
    };
    this.#rooms.set(name, room);
    return room;
  }
}
