import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { createLog } from '../../process/log.ts';
import { Backplane } from '../../redis/backplane.ts';
import { testSubscriptionPermissions } from '../../redis/permissions.ts';
import { settingIn } from '../../redis/setting/source.ts';
import type { Retention } from '../log/retention.ts';
import { testRoomPermissions } from './self-test.ts';
import { openMemoryStore, openRedisStore, type RoomStore } from './store.ts';

export interface OpenStoreOptions {
  /**
   * `redis[s]://[user[:password]@]host:port[/db]`, or StackExchange's shape.
   * @default none: rooms of this process alone
   */
  readonly redis?: string | undefined;
  /** Prefix of every key and channel: deployments that share a Redis need names of their own. @default 'realtime' */
  readonly deployment?: string;
  readonly retention?: Partial<Retention>;
  /** @default JSON lines on standard output, from `info` */
  readonly log?: Logger;
}

/**
 * Opens a store in a server that has no Redis connection of ours yet; one serves all of its hubs.
 * @throws RedisSettingError when the setting can't be read; a Redis that is away is waited for
 */
export function openStore(options: OpenStoreOptions): RoomStore & { close(): Promise<void> } {
  const { redis = 'none', deployment = 'realtime', retention = {} } = options;
  const instance = randomBytes(6).toString('hex');
  const backplane = new Backplane(
    {
      sources: { url: redis },
      deployment,
      instance,
      log: options.log ?? createLog('info', instance),
      selfTest: (connection) => testRoomPermissions(connection, deployment, instance),
      subscriptionSelfTest: (connection) => testSubscriptionPermissions(connection, deployment),
    },
    settingIn(redis, 'the option `redis`'),
  );
  const { links } = backplane;
  const store = links ? openRedisStore({ links, deployment, retention }) : openMemoryStore(retention);
  return { ...store, close: () => backplane.close() };
}
