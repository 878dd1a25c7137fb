import { Bucket } from './bucket.ts';
import type { RateRule } from './rule.ts';

/** Of so many the fullest one gives way to a new caller, since it loses the least. */
const lookedAt = 16;

/**
 * The buckets of one rule's callers, so many at most. One that is full again is dropped. Who has to wait is never
 * forgotten for the sake of someone new: callers for whom there is no room share a bucket.
 */
export class Buckets {
  readonly #rule: RateRule;
  readonly #most: number;
  readonly #onDropped: (caller: string) => void;
  readonly #buckets = new Map<string, Bucket>();
  /**
   * Goes round the buckets while there is no room for more. One that stands still would keep every bucket that there has
   * been since: V8 leads it from each table that a map has outgrown to the next.
   */
  #hand: Iterator<[string, Bucket]> | undefined;
  #shared: Bucket | undefined;

  constructor(rule: RateRule, most: number, onDropped: (caller: string) => void) {
    this.#rule = rule;
    this.#most = most;
    this.#onDropped = onDropped;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Is this still that caller's bucket? */
  holds(caller: string, bucket: Bucket): boolean {
    return this.#buckets.get(caller) === bucket;
  }

  /** The caller's, or the one that it would share; undefined: it has taken nothing lately. */
  find(caller: string): Bucket | undefined {
    return this.#buckets.get(caller) ?? (this.#buckets.size >= this.#most ? this.#shared : undefined);
  }

  /** The caller's, made where there is none; or the one that callers share for whom there is no room. */
  of(caller: string, now: number): Bucket {
    const known = this.#buckets.get(caller);
    if (known) return known;
    if (this.#buckets.size >= this.#most && !this.#makeRoom(now)) {
      this.#shared ??= new Bucket(this.#rule, now);
      return this.#shared;
    }
    const bucket = new Bucket(this.#rule, now);
    this.#buckets.set(caller, bucket);
    return bucket;
  }

  /**
   * Drops those that are full again. One that was used since the last look begins anew instead, which is the same for its
   * caller: who goes on would be given another one each second, and the garbage collector would copy them all.
   */
  dropFull(now: number): void {
    for (const [caller, bucket] of this.#buckets) {
      if (!bucket.isFull(now)) continue;
      if (bucket.taken === 0) this.#buckets.delete(caller);
      else bucket.beginAnew(now);
      this.#onDropped(caller);
    }
    if (this.#buckets.size < this.#most) this.#hand = undefined;
  }

  /** @returns false where all that were looked at have to wait */
  #makeRoom(now: number): boolean {
    let fullest: string | undefined;
    let most = 1;
    for (let count = 0; count < lookedAt; count += 1) {
      const [caller, bucket] = this.#next();
      const tokens = bucket.tokens(now);
      if (tokens >= most) [fullest, most] = [caller, tokens];
    }
    if (fullest === undefined) return false;
    this.#drop(fullest);
    return true;
  }

  #drop(caller: string): void {
    this.#buckets.delete(caller);
    this.#onDropped(caller);
  }

  #next(): [string, Bucket] {
    this.#hand ??= this.#buckets.entries();
    const next = this.#hand.next();
    if (!next.done) return next.value;
    this.#hand = this.#buckets.entries();
    return this.#hand.next().value as [string, Bucket];
  }
}
