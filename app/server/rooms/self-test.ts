import type { Redis } from 'ioredis';
import { defaultBounds } from './log.ts';
import { packetPrefix } from './packet.ts';
import { RedisLog } from './redis-log.ts';

/** Keys of a self-test go away by themselves, in milliseconds. */
const keptMs = 60_000;

/**
 * Appends to a room of its own and reads it, as the service will: a permission that the Redis user lacks
 * shows at boot, by name, and not as a room that stays silent.
 *
 * @throws Error with what the server denied
 */
export async function testRoomPermissions(redis: Redis, deployment: string, instance: string): Promise<void> {
  const log = new RedisLog({
    links: { commands: { connection: redis }, available: () => true },
    deployment,
    hub: 'self-test',
    packetPrefix: packetPrefix('/self-test'),
    bounds: { ...defaultBounds, maxAgeMs: keptMs, metaAgeMs: keptMs, idWindowMs: keptMs },
  });
  try {
    const { epoch } = await log.append({
      room: instance,
      subject: 'self-test',
      id: 'boot',
      rest: '"body":0}',
    });
    await log.read({ room: instance, since: { epoch, offset: 0 } });
  } catch (error) {
    const denied = /.*(NOPERM|ACL failure|no permissions?).*/i.exec((error as Error).message)?.[0];
    // A full or stalled server is for the heartbeat and the publishers to tell.
    if (denied) throw new Error(`NOPERM ${denied}`);
  }
}
