import { setImmediate } from 'node:timers/promises';
import type { Member } from '../member.ts';
import type { Room } from '../room.ts';
import type { Rooms } from '../rooms.ts';
import type { Authorize } from './authorize.ts';

export interface MembershipEnforcementOptions<M extends Member> {
  readonly rooms: Rooms<M>;
  readonly authorize: Authorize<M>;
  /** Milliseconds from one look at all members to the next. */
  readonly reviewEveryMs: number;
}

/** Milliseconds of a review at a time: behind them whatever else waits has its turn. */
const sliceMs = 10;
/** Members that are asked about at once, where that takes a database. */
const atOnce = 50;

/**
 * Keeps in the rooms only who may be there: who is expelled leaves at once, on every instance, and all
 * members are authorized again from time to time, for what no one announces: a membership that ends in a
 * database.
 */
export class MembershipEnforcement<M extends Member> {
  readonly #options: MembershipEnforcementOptions<M>;
  readonly #timer: NodeJS.Timeout;
  #isReviewing = false;
  #closed = false;

  constructor(options: MembershipEnforcementOptions<M>) {
    this.#options = options;
    this.#timer = setInterval(() => {
      if (!this.#isReviewing) void this.#review();
    }, options.reviewEveryMs).unref();
  }

  /** Ends the memberships of these subjects on this instance. */
  expel(room: Room<M>, subjects: ReadonlySet<string>): void {
    for (const member of room.members) {
      if (subjects.has(member.subject)) this.#dismiss(room, member);
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  /** 100,000 memberships take a second in all: nobody is to wait for the whole of it. */
  async #review(): Promise<void> {
    this.#isReviewing = true;
    const asked: Promise<void>[] = [];
    let until = performance.now() + sliceMs;
    for (const [room, member] of this.#memberships()) {
      asked.push(this.#reviewOne(room, member));
      if (asked.length >= atOnce) await Promise.all(asked.splice(0));
      if (performance.now() < until) continue;
      await setImmediate();
      until = performance.now() + sliceMs;
    }
    await Promise.all(asked);
    this.#isReviewing = false;
  }

  *#memberships(): Iterable<[Room<M>, M]> {
    for (const room of this.#options.rooms.all()) {
      for (const member of room.members) {
        if (this.#closed) return;
        yield [room, member];
      }
    }
  }

  async #reviewOne(room: Room<M>, member: M): Promise<void> {
    if (!(await this.#mayStay(room, member))) this.#dismiss(room, member);
  }

  /** One that can't be asked now is asked the next time: a database that is down empties no room. */
  async #mayStay(room: Room<M>, member: M): Promise<boolean> {
    try {
      return (await this.#options.authorize(member, 'join', room.name)) !== undefined;
    } catch {
      return true;
    }
  }

  #dismiss(room: Room<M>, member: M): void {
    this.#options.rooms.leave(member, room.name);
    member.send('expelled', { room: room.name });
  }
}
