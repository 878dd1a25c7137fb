import { availableRedis, type RedisAccess } from '../redis/access.ts';
import { hashTag, redisName } from '../redis/keys.ts';
import { NamedScript } from '../redis/script.ts';
import type { RateRule, Synced, Taken } from './buckets.ts';

/** Undefined: Redis is away. */
export type Sync = (rule: RateRule, caller: string, taken: Taken) => Promise<Synced | undefined>;

/** Milliseconds from one sync to the next. */
export const syncEveryMs = 1_000;

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
