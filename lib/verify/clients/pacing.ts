import { setTimeout as delay } from 'node:timers/promises';

interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * A fraction of what the service lets one user publish: verify must not exhaust the limits, and each instance gives a
 * user only its part of them.
 */
const ofUser: Rate = { burst: 45, perSecond: 22 };
/** If all clients are one user, that user is on all instances alike. */
const ofEverybody: Rate = { burst: 80, perSecond: 40 };
/** Below what it lets one address publish. */
const ofAll: Rate = { burst: 4_000, perSecond: 2_000 };

/** Limits how fast a run publishes. The order of each user's messages stays the same. */
export class Pacing {
  readonly #users = new Map<string, Slots>();
  readonly #everybody = new Slots(ofEverybody);
  readonly #all = new Slots(ofAll);
  #rateLimited = 0;

  /** Resolves when this user may publish again. @param user undefined: all clients are one */
  async next(user: string | undefined): Promise<void> {
    const slots = user === undefined ? this.#everybody : this.#of(user);
    const now = performance.now();
    const waitMs = Math.max(slots.consume(now), this.#all.consume(now));
    if (waitMs > 0) await delay(waitMs);
  }

  /** A limit of the service rejected a request nevertheless, which is tried again. */
  noteRateLimit(): void {
    this.#rateLimited += 1;
  }

  get rateLimited(): number {
    return this.#rateLimited;
  }

  #of(user: string): Slots {
    const known = this.#users.get(user);
    if (known) return known;
    const slots = new Slots(ofUser);
    this.#users.set(user, slots);
    return slots;
  }
}

/** A token bucket whose debt is the time to wait. */
class Slots {
  readonly #rate: Rate;
  #tokens: number;
  #at = performance.now();

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** @returns milliseconds until the request may go */
  consume(now: number): number {
    const { burst, perSecond } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1_000) * perSecond) - 1;
    this.#at = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / perSecond) * 1_000;
  }
}
