import { setTimeout as delay } from 'node:timers/promises';
import { askRedis } from './redis-ask.ts';
import type { RedisServer } from './redis-server.ts';

const retryMs = 25;

/** Resolves once the server lets the service in. */
export async function redisReady(redis: RedisServer, signal: AbortSignal): Promise<void> {
  while (!(await askRedis(redis, redis.users.service, 'PING')).includes('+PONG')) {
    await delay(retryMs, undefined, { signal });
  }
}
