import type { Redis } from 'ioredis';
import { connectedRedis, type WatchedRedis } from '../../../app/server/redis/access.ts';
import type { RedisLink } from '../../../app/server/redis/connection/link.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { eventually } from '../wait.ts';
import { linksOver, linkTo, useRedis } from './link.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { connectRedis, onRedis } from './redis-client.ts';

/** What a suite that runs on each kind of Redis asks of the one that it has. */
export interface RedisOfKind {
  readonly links: WatchedRedis;
  readonly url: string;
  /** The connection that has this key. */
  at(key: string): Redis;
  /** The names of all keys that match. */
  keys(pattern: string): Promise<string[]>;
  /** @returns ends it */
  listen(channel: string, heard: (text: string) => void): Promise<() => void>;
}

/**
 * The kinds of Redis that suites run on. A node of a cluster has all slots, and refuses what uses keys or channels of
 * several.
 */
export const redisKinds: readonly [kind: string, use: () => RedisOfKind][] = [
  ['one node', useNode],
  ['a node of a cluster', useClusterNode],
];

function useNode(): RedisOfKind {
  const own = useRedis();
  return ofKind(() => own);
}

function useClusterNode(): RedisOfKind {
  let server: TestRedis;
  let link: RedisLink;
  beforeAll(async () => {
    server = await startClusterNode();
    link = await linkTo(server.url);
  });
  afterAll(async () => {
    await link?.close();
    await server?.stop();
  });
  return ofKind(() => ({ server, link }));
}

/** A cluster of one node: all slots are its own. */
export async function startClusterNode(): Promise<TestRedis> {
  // By default that port is 10,000 behind the other one, where anybody may be.
  const busPort = await freePort();
  const server = await startRedis(['--cluster-enabled', 'yes', '--cluster-port', String(busPort)]);
  await onRedis(server.port, async (redis) => {
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await eventually('the cluster', async () => /state:ok/.test(String(await redis.call('CLUSTER', 'INFO'))));
  });
  return server;
}

function ofKind(own: () => { readonly server: TestRedis; readonly link: RedisLink }): RedisOfKind {
  return {
    get links() {
      return linksOver(own().link);
    },
    get url() {
      return own().server.url;
    },
    at: (key) => connectedRedis(linksOver(own().link), key) ?? missing(key),
    keys: (pattern) => onRedis(own().server.port, (redis) => redis.keys(pattern)),
    listen: async (channel, heard) => {
      const redis = await connectRedis(own().server.port);
      redis.on('smessage', (_channel, text: string) => heard(text));
      await redis.ssubscribe(channel);
      return () => redis.disconnect();
    },
  };
}

function missing(key: string): never {
  throw new Error(`no connection for ${key}`);
}
