import type { RateRule } from './rule.ts';
import type { Settled, Taken } from './settle.ts';

/** What one instance knows of one caller's bucket. Times are milliseconds of a monotonic clock. */
export class Bucket {
  readonly #rule: RateRule;
  #tokens: number;
  #at: number;
  /** Instances that this caller uses: each adds its part of the tokens, until Redis says what all have let through. */
  #instances = 1;
  /** Taken since the last settling. */
  #taken = 0;
  #settlingAt: number;

  constructor(rule: RateRule, now: number) {
    this.#rule = rule;
    this.#tokens = rule.burst;
    this.#at = this.#settlingAt = now;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @returns milliseconds after which it may be tried again; undefined: it may go on */
  take(now: number): number | undefined {
    this.#refill(now);
    if (this.#tokens < 1) return Math.max(1, Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1_000));
    this.#tokens -= 1;
    this.#taken += 1;
    return undefined;
  }

  /** @returns what is to be told to Redis; from now on it is counted anew */
  settling(now: number): Taken {
    const taken = { tokens: Math.min(this.#taken, 10 * this.#rule.burst), overMs: now - this.#settlingAt };
    this.#taken = 0;
    this.#settlingAt = now;
    return taken;
  }

  /** Redis is away: this instance limits alone, and what it lets through meanwhile is not held against anyone later. */
  alone(): void {
    this.#instances = 1;
  }

  settled({ tokens, instances }: Settled, now: number): void {
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
