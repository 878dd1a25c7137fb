/** A bucket of tokens: so many fit in, so many are added a second. What a token is, a call or a byte, the rule says. */
export interface RateRule {
  /** Stands in the keys in Redis. */
  readonly name: string;
  /** What may be taken at once. */
  readonly burst: number;
  /** Tokens a second, for as long as one likes. */
  readonly perSecond: number;
}

/** What is left of a caller's bucket, for all instances that it uses. */
export interface Synced {
  /** Below 0: a debt. */
  readonly tokens: number;
  readonly instances: number;
}

/** What an instance let through, in so many milliseconds. */
export interface Taken {
  readonly tokens: number;
  readonly overMs: number;
}

/** What one instance knows of one caller's bucket. Times are milliseconds of a monotonic clock. */
export class Bucket {
  readonly #rule: RateRule;
  #tokens: number;
  #at: number;
  /** Instances that this caller uses: each adds its part of the tokens, until Redis says what all have let through. */
  #instances = 1;
  /** Taken since the last sync. */
  #taken = 0;
  #syncedAt: number;

  constructor(rule: RateRule, now: number) {
    this.#rule = rule;
    this.#tokens = rule.burst;
    this.#at = this.#syncedAt = now;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Tokens in it now; below 0: a debt. */
  tokens(now: number): number {
    this.#refill(now);
    return this.#tokens;
  }

  isFull(now: number): boolean {
    return this.tokens(now) >= this.#rule.burst;
  }

  /** @returns milliseconds until it has a token; undefined: it has one */
  wait(now: number): number | undefined {
    const missing = 1 - this.tokens(now);
    return missing <= 0 ? undefined : Math.max(1, Math.ceil((missing / this.#perSecond) * 1_000));
  }

  /** Takes tokens out, whether they are there or not. */
  consume(tokens: number, now: number): void {
    this.#refill(now);
    this.#tokens -= tokens;
    this.#taken += tokens;
  }

  /** @returns what is to be synced with Redis; from now on it is counted anew */
  syncing(now: number): Taken {
    const taken = { tokens: Math.min(this.#taken, 10 * this.#rule.burst), overMs: now - this.#syncedAt };
    this.#taken = 0;
    this.#syncedAt = now;
    return taken;
  }

  /** As if this caller came for the first time. */
  beginAnew(now: number): void {
    this.#tokens = this.#rule.burst;
    this.#at = this.#syncedAt = now;
    this.#instances = 1;
    this.#taken = 0;
  }

  /** Redis is away: this instance limits alone, and what it lets through meanwhile is not held against anyone later. */
  alone(): void {
    this.#instances = 1;
  }

  synced({ tokens, instances }: Synced, now: number): void {
    this.#instances = Math.max(1, instances);
    // What was taken while Redis was asked is not in its answer yet.
    this.#tokens = tokens / this.#instances - this.#taken;
    this.#at = now;
  }

  get #perSecond(): number {
    return this.#rule.perSecond / this.#instances;
  }

  #refill(now: number): void {
    const added = (Math.max(0, now - this.#at) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#rule.burst, this.#tokens + added);
    this.#at = now;
  }
}

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
