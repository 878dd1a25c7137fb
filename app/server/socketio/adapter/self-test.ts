import type { Redis } from 'ioredis';
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
