import { once } from 'node:events';
import { createLog } from '../../../app/server/process/log.ts';
import { inspectServer } from '../../../app/server/redis/backplane.ts';
import { RedisLink } from '../../../app/server/redis/connection/link.ts';
import { parseRedisSetting } from '../../../app/server/redis/setting/setting.ts';

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
