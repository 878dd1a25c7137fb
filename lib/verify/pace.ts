import { setTimeout as delay } from 'node:timers/promises';

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Below what the service lets one user publish (100 at once, 50 a second), for verify is not what its limits are for.
 * Half of it, because each instance lets a user have its part alone.
 */
const ofUser: Rate = { burst: 45, perSecond: 22 };
/** Where all clients are one user, they are on all instances alike. */
const ofEverybody: Rate = { burst: 80, perSecond: 40 };
/** Below what it lets one address publish (5,000 at once, 2,500 a second). */
const ofAll: Rate = { burst: 4_000, perSecond: 2_000 };

/** Bounds what a run publishes, each user's messages in the order in which they were to go. */
export class Pace {
  readonly #users = new Map<string, Slots>();
  readonly #everybody = new Slots(ofEverybody);
  readonly #all = new Slots(ofAll);

  /** Resolves when this user may publish one more. @param user undefined: all clients are one */
  async turn(user: string | undefined): Promise<void> {
    const slots = user === undefined ? this.#everybody : this.#of(user);
    const now = performance.now();
    const waitMs = Math.max(slots.take(now), this.#all.take(now));
    if (waitMs > 0) await delay(waitMs);
  }

  #of(user: string): Slots {
    const known = this.#users.get(user);
    if (known) return known;
    const slots = new Slots(ofUser);
    this.#users.set(user, slots);
    return slots;
  }
}

/** A bucket whose debt is the time to wait. */
class Slots {
  readonly #rate: Rate;
  #tokens: number;
  #at = performance.now();

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** @returns milliseconds until it is its turn */
  take(now: number): number {
    const { burst, perSecond } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1_000) * perSecond) - 1;
    this.#at = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / perSecond) * 1_000;
  }
}
