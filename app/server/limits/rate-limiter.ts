import { performance } from 'node:perf_hooks';
import { LRUCache } from 'lru-cache';
import { Bucket } from './bucket.ts';
import type { RateRule } from './rule.ts';
import type { Settle } from './settle.ts';

export interface RateLimiterOptions {
  readonly rule: RateRule;
  /** Tells Redis what was let through. @default this instance limits alone */
  readonly settle?: Settle;
  /** Callers that are known at once; the one that was idle longest is forgotten. @default 20,000 */
  readonly callers?: number;
}

/** Settlings of one round; what is over waits for the next. */
const settlingsAtOnce = 1_000;
/** Who has taken less than this part of a bucket is not worth a command in Redis. */
const worthTelling = 0.1;

/**
 * Limits how often each caller calls, across instances: each decides by itself, at once, and settles with the others
 * through Redis once a second. A caller that uses several instances can get ahead by a bucket for each, once, and
 * pays it back: over time it gets what one instance alone would give it.
 */
export class RateLimiter {
  readonly rule: RateRule;
  readonly #settle: Settle | undefined;
  readonly #buckets: LRUCache<string, Bucket>;
  /** Whose bucket is to be settled. */
  readonly #callers = new Map<string, Bucket>();

  constructor({ rule, settle, callers = 20_000 }: RateLimiterOptions) {
    this.rule = rule;
    this.#settle = settle;
    this.#buckets = new LRUCache({
      max: callers,
      dispose: (_bucket, caller) => this.#callers.delete(caller),
    });
  }

  /** @returns milliseconds after which this caller may try again; undefined: it may go on */
  take(caller: string): number | undefined {
    const now = performance.now();
    let bucket = this.#buckets.get(caller);
    if (!bucket) {
      bucket = new Bucket(this.rule, now);
      this.#buckets.set(caller, bucket);
    }
    const waitMs = bucket.take(now);
    if (this.#settle && bucket.taken >= this.#least) this.#callers.set(caller, bucket);
    return waitMs;
  }

  /** Callers that are known now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Settles with the other instances; never rejects. */
  async settleAll(): Promise<void> {
    const due = [...this.#callers].slice(0, settlingsAtOnce);
    await Promise.all(due.map(([caller, bucket]) => this.#settleOne(caller, bucket)));
  }

  get #least(): number {
    return Math.max(1, this.rule.burst * worthTelling);
  }

  async #settleOne(caller: string, bucket: Bucket): Promise<void> {
    this.#callers.delete(caller);
    const taken = bucket.settling(performance.now());
    const left = await this.#settle?.(this.rule, caller, taken).catch(() => undefined);
    if (!left) return bucket.alone();
    bucket.settled(left, performance.now());
    // Asked again without a call, until a debt is paid: the others may have added to it.
    const goesOn = taken.tokens > 0 || left.tokens < 1;
    if (goesOn && this.#buckets.peek(caller) === bucket) this.#callers.set(caller, bucket);
  }
}
