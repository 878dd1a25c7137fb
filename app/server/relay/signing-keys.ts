import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Redis } from 'ioredis';
import { signingKeyOf } from './keys.ts';

export interface SigningKeysOptions {
  readonly deployment: string;
  /** Redis while it is there. @returns undefined: the keys are this process's own meanwhile */
  readonly redis: (key: string) => Pick<Redis, 'get' | 'set'> | undefined;
}

/** A week, in milliseconds: then the next key is made, and the one before is still known. */
const periodMs = 604_800_000;
/** Redis is asked again for a key that it did not have, and whether it still has the one in use, in milliseconds. */
const askAgainMs = 1_000;
const confirmEveryMs = 30_000;
const keyBytes = 32;
const macBytes = 12;

interface Known {
  readonly key: Buffer;
  /** When Redis had it last, in milliseconds of a monotonic clock; undefined: Redis was never asked. */
  readonly confirmedAt: number | undefined;
}

/**
 * The keys by which an instance knows what another one of its deployment has signed: a random one for each week, kept
 * in Redis by whoever needed it first. A deployment need not have any other secret that all instances share.
 */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #known = new Map<number, Known>();
  readonly #askedAt = new Map<number, number>();
  readonly #asking = new Map<number, Promise<void>>();

  constructor(options: SigningKeysOptions) {
    this.#options = options;
  }

  /** @returns the MAC, with the period whose key made it before it */
  async sign(text: string): Promise<string> {
    const period = periodNow();
    await this.#confirm(period);
    const key = this.#known.get(period)?.key ?? this.#makeOwn(period);
    return `${period.toString(36)}.${macOf(text, key)}`;
  }

  async verify(text: string, signature: string): Promise<boolean> {
    const [head = '', mac = '', ...more] = signature.split('.');
    const period = Number.parseInt(head, 36);
    if (more.length > 0 || head !== period.toString(36) || !isNear(period)) return false;
    const known = this.#known.get(period);
    if (known && isSame(mac, macOf(text, known.key))) return true;
    // Redis may hold another key than the one that this instance made for itself while Redis was away.
    await this.#ask(period);
    const found = this.#known.get(period);
    return found !== undefined && found !== known && isSame(mac, macOf(text, found.key));
  }

  /** Makes sure that what is signed now can be verified elsewhere, as far as Redis is there. */
  async #confirm(period: number): Promise<void> {
    const confirmedAt = this.#known.get(period)?.confirmedAt;
    if (confirmedAt === undefined) return this.#ask(period);
    // A key that Redis lost is written back; nobody waits for that.
    if (performance.now() - confirmedAt > confirmEveryMs) void this.#ask(period);
  }

  /** One question at a time for each key, and not again at once: whoever forges a signature makes it ask. */
  async #ask(period: number): Promise<void> {
    const now = performance.now();
    const pending = this.#asking.get(period);
    if (pending) return pending;
    if (now - (this.#askedAt.get(period) ?? Number.NEGATIVE_INFINITY) < askAgainMs) return;
    const name = signingKeyOf(this.#options.deployment, period);
    const redis = this.#options.redis(name);
    if (!redis) return;
    this.#forgetOld();
    this.#askedAt.set(period, now);
    const asked = this.#read(redis, name, period)
      .catch(() => undefined)
      .finally(() => this.#asking.delete(period));
    this.#asking.set(period, asked);
    return asked;
  }

  async #read(redis: Pick<Redis, 'get' | 'set'>, name: string, period: number): Promise<void> {
    if (period === periodNow()) {
      const own = this.#known.get(period)?.key ?? randomBytes(keyBytes);
      await redis.set(name, own.toString('base64url'), 'PX', 3 * periodMs, 'NX');
    }
    const stored = await redis.get(name);
    const key = Buffer.from(stored ?? '', 'base64url');
    if (key.length === keyBytes) this.#known.set(period, { key, confirmedAt: performance.now() });
  }

  #makeOwn(period: number): Buffer {
    const key = randomBytes(keyBytes);
    this.#known.set(period, { key, confirmedAt: undefined });
    return key;
  }

  #forgetOld(): void {
    for (const map of [this.#known, this.#askedAt]) {
      for (const period of map.keys()) if (!isNear(period)) map.delete(period);
    }
  }
}

function periodNow(): number {
  return Math.floor(Date.now() / periodMs);
}

/** Clocks differ, and what was signed before the turn of a period outlives it. */
function isNear(period: number): boolean {
  return Math.abs(period - periodNow()) <= 1;
}

function macOf(text: string, key: Buffer): string {
  return createHmac('sha256', key).update(text).digest().subarray(0, macBytes).toString('base64url');
}

function isSame(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}
