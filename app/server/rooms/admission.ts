import type { Socket } from 'socket.io';
import type { Authorize } from './methods.ts';
import type { Room } from './room.ts';
import type { Rooms } from './rooms.ts';

export interface AdmissionOptions {
  readonly rooms: Rooms;
  readonly authorize: Authorize;
  readonly subjectOf: (socket: Socket) => string;
  /** Milliseconds from one look at all members to the next. */
  readonly reviewEveryMs: number;
}

/**
 * Keeps in the rooms only who may be there: who is expelled leaves at once, on every instance, and all
 * members are authorized again from time to time, for what no one announces: a token that expires, a
 * membership that ends in a database.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#review(), options.reviewEveryMs).unref();
  }

  /** Ends the membership of one subject on this instance. */
  expel(room: Room, subject: string): void {
    for (const member of room.members) {
      if (this.#options.subjectOf(member) === subject) this.#dismiss(room, member);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #review(): Promise<void> {
    for (const room of this.#options.rooms.all()) {
      for (const member of room.members) {
        if (!(await this.#mayStay(room, member))) this.#dismiss(room, member);
      }
    }
  }

  /** One that can't be asked now is asked the next time: a database that is down empties no room. */
  async #mayStay(room: Room, member: Socket): Promise<boolean> {
    try {
      return (await this.#options.authorize(member, 'join', room.name)) !== undefined;
    } catch {
      return true;
    }
  }

  #dismiss(room: Room, member: Socket): void {
    this.#options.rooms.leave(member, room.name);
    member.emit('expelled', { room: room.name });
  }
}
