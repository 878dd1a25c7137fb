import type { Redis } from 'ioredis';
import { atHome } from '../redis/buckets.ts';
import { assertCommandsAllowed, selfTestKeyMs } from '../redis/permissions.ts';

/**
 * Tries each command of the scripts of leases and presence: one that the Redis user lacks shows at boot, by name,
 * and not as a room in which nobody seems to be.
 *
 * @throws Error with what the server denies
 */
export async function testPresencePermissions(
  redis: Redis,
  deployment: string,
  instance: string,
): Promise<void> {
  const key = (kind: string) => atHome(deployment, 'presence', 'self-test', instance, kind);
  const [hash, set, sorted, text] = [key('hash'), key('set'), key('sorted'), key('text')];
  await assertCommandsAllowed(redis, [
    ['hset', hash, 'tried', 1],
    ['hget', hash, 'tried'],
    ['hmget', hash, 'tried'],
    ['hincrby', hash, 'tried', 1],
    ['hexists', hash, 'tried'],
    ['hlen', hash],
    ['hkeys', hash],
    ['hdel', hash, 'tried'],
    ['sadd', set, 'one', 'two'],
    ['scard', set],
    ['smembers', set],
    ['srem', set, 'one'],
    ['spop', set, 1],
    ['zadd', sorted, 1, 'tried'],
    ['zscore', sorted, 'tried'],
    ['zrange', sorted, 0, 0],
    ['zrangebyscore', sorted, 0, 1],
    ['zrem', sorted, 'tried'],
    ['zremrangebyscore', sorted, 0, 0],
    ['set', text, 1, 'PX', selfTestKeyMs],
    ['get', text],
    ['pexpire', text, selfTestKeyMs],
    ['exists', text],
    ['spublish', text, ''],
    ['time'],
  ]);
}
