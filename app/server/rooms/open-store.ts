import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { createLog } from '../log.ts';
import { openBackplane } from '../redis/backplane.ts';
import type { LogBounds } from './log.ts';
import { testRoomPermissions } from './self-test.ts';
import { openMemoryStore, openRedisStore, type RoomStore } from './store.ts';

export interface OpenStoreOptions {
  /**
   * `redis[s]://[user[:password]@]host:port[/db]`, or StackExchange's shape.
   * @default none: rooms of this process alone
   */
  readonly redis?: string;
  /** Prefix of every key and channel: deployments that share a Redis need names of their own. @default 'realtime' */
  readonly deployment?: string;
  readonly bounds?: Partial<LogBounds>;
  /** @default JSON lines on standard output, from `info` */
  readonly log?: Logger;
}

/**
 * Opens a store for `attachRooms` in a server that has no Redis connection of ours yet.
 * @throws RedisSettingError when the setting can't be read; a Redis that is away is waited for
 */
export async function openStore(options: OpenStoreOptions): Promise<RoomStore & { close(): Promise<void> }> {
  const { redis, deployment = 'realtime', bounds = {} } = options;
  const instance = randomBytes(6).toString('hex');
  const backplane = await openBackplane({
    sources: redis === undefined ? {} : { url: redis },
    deployment,
    instance,
    log: options.log ?? createLog('info', instance),
    selfTest: (connection) => testRoomPermissions(connection, deployment, instance),
  });
  const { links } = backplane;
  const store = links ? openRedisStore({ links, deployment, bounds }) : openMemoryStore(bounds);
  return { ...store, close: () => backplane.close() };
}
