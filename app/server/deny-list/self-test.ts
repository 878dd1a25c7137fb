import type { Redis } from 'ioredis';
import { assertCommandsAllowed, type Command, selfTestKeyMs } from '../redis/permissions.ts';
import { denyListKeys } from './keys.ts';

/**
 * Tries each command of the deny list by itself, on keys of its own: a list that can't be read lets nobody in, and the
 * log must say why.
 *
 * @throws Error with what the server denies
 */
export async function testDenyListPermissions(
  redis: Redis,
  deployment: string,
  instance: string,
): Promise<void> {
  const { states, ends, version } = denyListKeys(deployment, `deny-list-self-test/${instance}`);
  await assertCommandsAllowed(redis, [
    ['hset', states, 'tried', 1],
    ['hget', states, 'tried'],
    ['hlen', states],
    ['hscan', states, 0, 'COUNT', 1],
    ['hdel', states, 'none'],
    ['zadd', ends, 1, 'tried'],
    ['zrangebyscore', ends, '-inf', 0],
    ['zrem', ends, 'none'],
    ['set', version, 1, 'KEEPTTL'],
    ['get', version],
    ['pttl', version],
    ...[states, ends, version].map((key): Command => ['pexpire', key, selfTestKeyMs]),
    ['spublish', denyListKeys(deployment, 'deny-list-self-test').channel, ''],
  ]);
}
