import type { Redis } from 'ioredis';
import { connectedRedis, type WatchedRedis } from '../../../app/server/redis/access.ts';
import { type Backplane, openBackplane } from '../../../app/server/redis/backplane.ts';
import { slotOf } from '../../../app/server/redis/buckets.ts';
import { describeInFull } from '../full-runs.ts';
import { eventually } from '../wait.ts';
import { silent, useRedis } from './link.ts';
import { primaryOf, startPrimaries } from './primaries.ts';
import type { TestRedis } from './redis.ts';
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

type KindOfRedis = readonly [kind: string, use: () => RedisOfKind];

/** The kinds of Redis that suites run on. A cluster refuses what uses keys or channels of several slots. */
export const redisKinds: readonly [KindOfRedis, ...KindOfRedis[]] = [
  ['one node', useNode],
  ['a cluster of three', () => useCluster(3)],
];

/** A suite on each kind of Redis: `npm test` tries it on one node. */
export function describeOnEachRedis(title: string, suite: (redis: RedisOfKind) => void): void {
  const [[node, useOne], ...others] = redisKinds;
  describe(`${title}, in ${node}`, () => suite(useOne()));
  for (const [kind, use] of others) describeInFull('faults', `${title}, in ${kind}`, () => suite(use()));
}

function useNode(): RedisOfKind {
  const own = useRedis();
  return ofKind({
    get links() {
      return own.links;
    },
    get ports() {
      return [own.server.port];
    },
    portOf: () => own.server.port,
  });
}

/** @param count of nodes, each with as many slots as the others */
function useCluster(count: number): RedisOfKind {
  const servers: TestRedis[] = [];
  let backplane: Backplane;
  beforeAll(async () => {
    await startPrimaries(count, {}, servers);
    const sources = { url: (servers[0] as TestRedis).url };
    backplane = await openBackplane({ sources, deployment: 'kind', instance: 'kind', log: silent });
    await eventually('the backplane', () => backplane.status === 'joined');
  });
  afterAll(async () => {
    await backplane?.close();
    await Promise.all(servers.map((server) => server.stop()));
  });
  const ports = () => servers.map(({ port }) => port);
  return ofKind({
    get links() {
      return backplane.links ?? missing('any key');
    },
    get ports() {
      return ports();
    },
    portOf: (key) => ports()[primaryOf(slotOf(key), count)] as number,
  });
}

interface OwnRedis {
  readonly links: WatchedRedis;
  readonly ports: readonly number[];
  portOf(key: string): number;
}

function ofKind(own: OwnRedis): RedisOfKind {
  return {
    get links() {
      return own.links;
    },
    get url() {
      return `redis://127.0.0.1:${own.ports[0]}`;
    },
    at: (key) => connectedRedis(own.links, key) ?? missing(key),
    keys: async (pattern) => {
      const found = await Promise.all(own.ports.map((port) => onRedis(port, (redis) => redis.keys(pattern))));
      return found.flat();
    },
    listen: async (channel, heard) => {
      const redis = await connectRedis(own.portOf(channel));
      redis.on('smessage', (_channel, text: string) => heard(text));
      await redis.ssubscribe(channel);
      return () => redis.disconnect();
    },
  };
}

function missing(key: string): never {
  throw new Error(`no connection for ${key}`);
}
