import type { Redis } from 'ioredis';
import { denyListKeys } from './keys.ts';

/** Keys of a self-test go away by themselves, in milliseconds. */
const keptMs = 60_000;

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
  const tries: [command: string, ...args: (string | number)[]][] = [
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
    ...[states, ends, version].map((key): [string, string, number] => ['pexpire', key, keptMs]),
    ['publish', denyListKeys(deployment, 'deny-list-self-test').channel, ''],
  ];
  const denials: string[] = [];
  for (const [command, ...args] of tries) {
    await redis.call(command, ...args).catch(({ message }: Error) => {
      if (message.startsWith('NOPERM')) denials.push(`${command}: ${message.slice('NOPERM '.length)}`);
    });
  }
  if (denials.length > 0) throw new Error(`NOPERM ${denials.join('; ')}`);
}
