import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { roomKeys } from '../keys.ts';
import { RedisLog } from '../log/redis-log.ts';
import { defaultRetention } from '../log/retention.ts';

/** Keys of a self-test go away by themselves, in milliseconds. */
const keptMs = 60_000;
const hub = 'self-test';

/**
 * Appends to a room of its own and reads it, as the service will: a permission that the Redis user lacks
 * shows at boot, by name, and not as a room that stays silent.
 *
 * @throws Error with what the server denies
 */
export async function testRoomPermissions(redis: Redis, deployment: string, instance: string): Promise<void> {
  const log = new RedisLog({
    links: { commands: { connection: redis }, available: () => true },
    deployment,
    hub,
    retention: { ...defaultRetention, maxAgeMs: keptMs, metaAgeMs: keptMs, idWindowMs: keptMs },
  });
  try {
    const { epoch } = await log.append({ room: instance, subject: hub, id: randomUUID(), rest: '"body":0}' });
    await log.read({ room: instance, since: { epoch, offset: 0 } });
  } catch {
    // A full or stalled server is for the heartbeat and the publishers to tell: here permissions alone count.
    const denied = await deniedCommands(redis, deployment, instance);
    if (denied.length > 0) throw new Error(`NOPERM ${denied.join('; ')}`);
  }
}

/** A script that is denied a command does not say which: each is tried by itself. */
async function deniedCommands(redis: Redis, deployment: string, instance: string): Promise<string[]> {
  const { channel, meta, log, id } = roomKeys(deployment, hub, instance);
  const idKey = id(hub, 'permissions');
  const tries: [command: string, ...args: (string | number)[]][] = [
    ['evalsha', '0'.repeat(40), 0],
    ['eval', 'return 1', 0],
    ['info', 'replication'],
    ['time'],
    ['hmget', meta, 'epoch'],
    ['hset', meta, 'tried', 1],
    ['pexpire', meta, keptMs],
    ['pttl', meta],
    ['set', idKey, 1, 'PX', keptMs],
    ['get', idKey],
    ['del', idKey],
    ['exists', log],
    ['xadd', log, 'MAXLEN', 1, '*', 'tried', 1],
    ['xrange', log, '-', '+', 'COUNT', 1],
    ['xtrim', log, 'MAXLEN', 1],
    ['xinfo', 'STREAM', log],
    ['del', log],
    ['publish', channel, ''],
  ];
  const denials: string[] = [];
  for (const [command, ...args] of tries) {
    await redis.call(command, ...args).catch(({ message }: Error) => {
      if (message.startsWith('NOPERM')) denials.push(`${command}: ${message.slice('NOPERM '.length)}`);
    });
  }
  return denials;
}
