import type { Redis } from 'ioredis';
import { redisName } from '../../redis/keys.ts';
import { adapterPrefix } from './adapter.ts';

/**
 * Tries what the adapter sends on the connection for commands: a permission that the Redis user lacks shows at boot, by
 * name, and not as a broadcast that stays on one instance.
 *
 * @throws Error with what the server denies
 */
export async function testAdapterPermissions(redis: Redis, deployment: string): Promise<void> {
  const channel = `${adapterPrefix(deployment)}#self-test#`;
  await assertAllowed({
    spublish: () => redis.spublish(channel, ''),
    'pubsub|shardnumsub': () => redis.pubsub('SHARDNUMSUB', channel),
  });
}

/** The same of the connection for subscriptions. @throws Error with what the server denies */
export async function testSubscriptionPermissions(redis: Redis, deployment: string): Promise<void> {
  const channel = redisName(deployment, 'self-test');
  await assertAllowed({
    subscribe: () => redis.subscribe(channel),
    unsubscribe: () => redis.unsubscribe(channel),
    ssubscribe: () => redis.ssubscribe(channel),
    sunsubscribe: () => redis.sunsubscribe(channel),
  });
}

async function assertAllowed(tries: Readonly<Record<string, () => Promise<unknown>>>): Promise<void> {
  const denials: string[] = [];
  for (const [command, run] of Object.entries(tries)) {
    await run().catch(({ message }: Error) => {
      if (message.startsWith('NOPERM')) denials.push(`${command}: ${message.slice('NOPERM '.length)}`);
    });
  }
  if (denials.length > 0) throw new Error(`NOPERM ${denials.join('; ')}`);
}
