import type { Redis } from 'ioredis';
import { atHome } from './buckets.ts';

/** Keys of a self-test go away by themselves, in milliseconds. */
export const selfTestKeyMs = 60_000;

/** A command as it is sent. */
export type Command = readonly [name: string, ...args: (string | number)[]];

/**
 * Tries each command by itself: a script that is denied one does not say which. A server that fails in another way is
 * for the heartbeat and the publishers to tell; permissions alone count here.
 *
 * @throws Error with what the server denies
 */
export function assertCommandsAllowed(redis: Redis, commands: readonly Command[]): Promise<void> {
  return assertAllowed(commands.map(([name, ...args]) => [name, () => redis.call(name, ...args)]));
}

/** The same of what is sent in another way. @throws Error with what the server denies */
export async function assertAllowed(
  tries: readonly (readonly [command: string, run: () => Promise<unknown>])[],
): Promise<void> {
  const denials: string[] = [];
  for (const [command, run] of tries) {
    await run().catch(({ message }: Error) => {
      if (message.startsWith('NOPERM')) denials.push(`${command}: ${message.slice('NOPERM '.length)}`);
    });
  }
  if (denials.length > 0) throw new Error(`NOPERM ${denials.join('; ')}`);
}

/** Tries what is sent on a connection for subscriptions. @throws Error with what the server denies */
export async function testSubscriptionPermissions(redis: Redis, deployment: string): Promise<void> {
  const channel = atHome(deployment, 'self-test');
  await assertAllowed(
    Object.entries({
      ssubscribe: () => redis.ssubscribe(channel),
      sunsubscribe: () => redis.sunsubscribe(channel),
    }),
  );
}
