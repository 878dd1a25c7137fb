import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { createLog } from '../../../app/server/process/log.ts';
import { alone, type WatchedRedis } from '../../../app/server/redis/access.ts';
import { inspectServer } from '../../../app/server/redis/connection/inspect-server.ts';
import { RedisLink } from '../../../app/server/redis/connection/link.ts';
import { parseRedisSetting } from '../../../app/server/redis/setting/setting.ts';
import { startRedis, type TestRedis } from './redis.ts';

/** A log that nobody reads. */
export const silent = createLog('silent', 'test');

/** A link to a test's Redis, up. */
export async function linkTo(setting: string, name = 'test'): Promise<RedisLink> {
  const resolve = async () => parseRedisSetting(setting, 'test');
  const link = new RedisLink({ name, log: silent, resolve, inspect: inspectServer });
  link.start();
  await once(link, 'up');
  return link;
}

/** Where one server has all keys. @param available whether messages go round. @default they always do */
export function linksOver(link: RedisLink, available = () => true): WatchedRedis {
  return {
    ...alone({ commands: link, available }),
    onReturn: (listener) => {
      const returned = () => listener(() => true);
      link.on('up', returned);
      return () => link.off('up', returned);
    },
  };
}

/** A Redis with a link to it: both are there while the tests run that stand beside the call. */
export interface RedisInUse {
  readonly server: TestRedis;
  readonly link: RedisLink;
  /** Over the link, for what asks of Redis. */
  readonly links: WatchedRedis;
  /** The link's connection. */
  readonly redis: Redis;
}

/** @param options of the server, as `startRedis` takes them */
export function useRedis(options?: readonly string[]): RedisInUse {
  let server: TestRedis;
  let link: RedisLink;
  beforeAll(async () => {
    server = await startRedis(options);
    link = await linkTo(server.url);
  });
  afterAll(async () => {
    await link.close();
    await server.stop();
  });
  return {
    get server() {
      return server;
    },
    get link() {
      return link;
    },
    get links() {
      return linksOver(link);
    },
    get redis() {
      return link.connection as Redis;
    },
  };
}
