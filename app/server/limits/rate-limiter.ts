import { performance } from 'node:perf_hooks';
import { availableRedis, type RedisAccess } from '../redis/access.ts';
import { hashTag, redisName } from '../redis/keys.ts';
import { NamedScript } from '../redis/script.ts';
import { type Bucket, Buckets, type RateRule, type Synced, type Taken } from './buckets.ts';

/** Undefined: Redis is away. */
type Sync = (rule: RateRule, caller: string, taken: Taken) => Promise<Synced | undefined>;

/** Milliseconds from one sync to the next. */
const syncEveryMs = 1_000;

const script = new NamedScript(
  { keys: ['bucket'], args: ['taken', 'most', 'perSecond', 'every', 'overMs'] },
  new URL('./scripts/sync.lua', import.meta.url),
);

/** Syncs through Redis; the commands of one round go out in one write. */
export function syncBy(links: RedisAccess, deployment: string): Sync {
  return async ({ name, burst, perSecond }, caller, taken) => {
    const bucket = redisName(deployment, 'limit', hashTag(name, caller));
    const redis = availableRedis(links, bucket);
    if (!redis) return undefined;
    const args = {
      taken: taken.tokens,
      most: burst,
      perSecond,
      every: syncEveryMs,
      overMs: Math.ceil(taken.overMs),
    };
    const [thousandths, instances] = (await script.run(redis, { bucket }, args)) as [number, number];
    return { tokens: thousandths / 1_000, instances };
  };
}

export interface RateLimiterOptions {
  readonly rule: RateRule;
  /** Syncs what was let through with the other instances. @default this instance limits alone */
  readonly sync?: Sync;
  /** Callers that are known at once. @default 20,000 */
  readonly callers?: number;
}

/** Syncs of one round; what is over waits for the next. */
const syncsAtOnce = 1_000;
/** Who has taken less than this part of a bucket is not worth a command in Redis. */
const worthSyncing = 0.1;

/**
 * Limits how much each caller takes, across instances: each decides by itself, at once, and syncs with the others
 * through Redis once a second. A caller that uses several instances can get ahead by a bucket for each, once, and
 * pays it back: over time it gets what one instance alone would give it.
 */
export class RateLimiter {
  readonly rule: RateRule;
  readonly #sync: Sync | undefined;
  readonly #buckets: Buckets;
  /** Whose bucket is to be synced. */
  readonly #due = new Map<string, Bucket>();

  constructor({ rule, sync, callers = 20_000 }: RateLimiterOptions) {
    this.rule = rule;
    this.#sync = sync;
    // What is full again is not worth a command in Redis, and must not be kept for one.
    this.#buckets = new Buckets(rule, callers, (caller) => this.#due.delete(caller));
  }

  /**
   * Takes so many tokens where there is one at least: the rest is a debt, which later calls wait for.
   * @returns milliseconds after which this caller may try again, and nothing was taken; undefined: it may go on
   */
  consume(caller: string, tokens = 1): number | undefined {
    const now = performance.now();
    const bucket = this.#buckets.of(caller, now);
    const waitMs = bucket.wait(now);
    if (waitMs === undefined) this.#consume(caller, bucket, tokens, now);
    return waitMs;
  }

  /** Takes what was used already, whether it is there or not. */
  charge(caller: string, tokens: number): void {
    const now = performance.now();
    this.#consume(caller, this.#buckets.of(caller, now), tokens, now);
  }

  /** @returns milliseconds after which it may go on; undefined: now. Nothing is taken */
  wait(caller: string): number | undefined {
    return this.#buckets.find(caller)?.wait(performance.now());
  }

  /** Callers that are known now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Syncs with the other instances, and forgets who has a full bucket again; never rejects. */
  async syncAll(): Promise<void> {
    const due = [...this.#due].slice(0, syncsAtOnce);
    await Promise.all(due.map(([caller, bucket]) => this.#syncOne(caller, bucket)));
    this.#buckets.dropFull(performance.now());
  }

  #consume(caller: string, bucket: Bucket, tokens: number, now: number): void {
    bucket.consume(tokens, now);
    if (this.#sync && bucket.taken >= this.#least && this.#buckets.holds(caller, bucket)) {
      this.#due.set(caller, bucket);
    }
  }

  get #least(): number {
    return Math.max(1, this.rule.burst * worthSyncing);
  }

  async #syncOne(caller: string, bucket: Bucket): Promise<void> {
    this.#due.delete(caller);
    const taken = bucket.syncing(performance.now());
    const left = await this.#sync?.(this.rule, caller, taken).catch(() => undefined);
    if (!left) return bucket.alone();
    bucket.synced(left, performance.now());
    // Asked again without a call, until a debt is paid: the others may have added to it.
    const goesOn = taken.tokens > 0 || left.tokens < 1;
    if (goesOn && this.#buckets.holds(caller, bucket)) this.#due.set(caller, bucket);
  }
}

export interface RateLimitersOptions {
  /** Redis, through which instances sync. @default each limits alone */
  readonly links?: RedisAccess | undefined;
  readonly deployment: string;
}

export interface RateLimiters<K extends string> {
  readonly of: Readonly<Record<K, RateLimiter>>;
  /** Syncs no more. */
  close(): void;
}

/** A limiter for each rule; they sync with those of the other instances in the same rounds. */
export function openRateLimiters<K extends string>(
  rules: Readonly<Record<K, RateRule>>,
  { links, deployment }: RateLimitersOptions,
): RateLimiters<K> {
  const sync = links && syncBy(links, deployment);
  const entries = Object.entries<RateRule>(rules).map(
    ([name, rule]) => [name, new RateLimiter({ rule, ...(sync ? { sync } : {}) })] as const,
  );
  const timer = setInterval(() => {
    for (const [, limiter] of entries) void limiter.syncAll();
  }, syncEveryMs).unref();
  return {
    of: Object.fromEntries(entries) as Record<K, RateLimiter>,
    close: () => clearInterval(timer),
  };
}
