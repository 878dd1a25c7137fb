import type { RateRule } from './rule.ts';
import type { Synced, Taken } from './sync.ts';

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
  take(tokens: number, now: number): void {
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
