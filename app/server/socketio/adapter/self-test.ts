import type { Redis } from 'ioredis';
import { redisName } from '../../redis/keys.ts';
import { assertAllowed } from '../../redis/permissions.ts';
import { adapterPrefix } from './adapter.ts';

/**
 * Tries what the adapter sends on the connection for commands: a permission that the Redis user lacks shows at boot, by
 * name, and not as a broadcast that stays on one instance.
 *
 * @throws Error with what the server denies
 */
export async function testAdapterPermissions(redis: Redis, deployment: string): Promise<void> {
  const channel = `${adapterPrefix(deployment)}#self-test#`;
  await assertAllowed(
    Object.entries({
      spublish: () => redis.spublish(channel, ''),
      'pubsub|shardnumsub': () => redis.pubsub('SHARDNUMSUB', channel),
    }),
  );
}

/** The same of the connection for subscriptions. @throws Error with what the server denies */
export async function testSubscriptionPermissions(redis: Redis, deployment: string): Promise<void> {
  const channel = redisName(deployment, 'self-test');
  await assertAllowed(
    Object.entries({
      subscribe: () => redis.subscribe(channel),
      unsubscribe: () => redis.unsubscribe(channel),
      ssubscribe: () => redis.ssubscribe(channel),
      sunsubscribe: () => redis.sunsubscribe(channel),
    }),
  );
}
