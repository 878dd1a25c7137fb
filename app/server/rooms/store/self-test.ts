import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { alone } from '../../redis/access.ts';
import { assertCommandsAllowed, type Command, selfTestKeyMs } from '../../redis/permissions.ts';
import { roomKeys } from '../keys.ts';
import { RedisLog } from '../log/redis-log.ts';
import { defaultRetention } from '../log/retention.ts';

const hub = 'self-test';

/**
 * Appends to a room of its own and reads it, as the service will: a permission that the Redis user lacks
 * shows at boot, by name, and not as a room that stays silent.
 *
 * @throws Error with what the server denies
 */
export async function testRoomPermissions(redis: Redis, deployment: string, instance: string): Promise<void> {
  const log = new RedisLog({
    links: alone({ commands: { connection: redis }, available: () => true }),
    deployment,
    hub,
    retention: {
      ...defaultRetention,
      maxAgeMs: selfTestKeyMs,
      metaAgeMs: selfTestKeyMs,
      idWindowMs: selfTestKeyMs,
    },
  });
  try {
    const { epoch } = await log.append({ room: instance, subject: hub, id: randomUUID(), rest: '"body":0}' });
    await log.read({ room: instance, since: { epoch, offset: 0 } });
  } catch {
    await assertCommandsAllowed(redis, commandsOf(deployment, instance));
  }
}

/** What the scripts send, on keys of a room of its own. */
function commandsOf(deployment: string, instance: string): Command[] {
  const { channel, meta, log, id } = roomKeys(deployment, hub, instance);
  const idKey = id(hub, 'permissions');
  return [
    ['evalsha', '0'.repeat(40), 0],
    ['eval', 'return 1', 0],
    ['info', 'replication'],
    ['time'],
    ['hmget', meta, 'epoch'],
    ['hset', meta, 'tried', 1],
    ['pexpire', meta, selfTestKeyMs],
    ['pttl', meta],
    ['set', idKey, 1, 'PX', selfTestKeyMs],
    ['get', idKey],
    ['del', idKey],
    ['exists', log],
    ['xadd', log, 'MAXLEN', 1, '*', 'tried', 1],
    ['xrange', log, '-', '+', 'COUNT', 1],
    ['xtrim', log, 'MAXLEN', 1],
    ['xinfo', 'STREAM', log],
    ['del', log],
    ['spublish', channel, ''],
  ];
}
