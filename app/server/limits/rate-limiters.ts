import type { RedisAccess } from '../redis/access.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RateRule } from './rule.ts';
import { syncBy, syncEveryMs } from './sync.ts';

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
