import type { Redis } from 'ioredis';
import { connectedRedis, type WatchedRedis } from '../../../app/server/redis/access.ts';
import { type Backplane, openBackplane } from '../../../app/server/redis/backplane.ts';
import { slotCount, slotOf } from '../../../app/server/redis/buckets.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { eventually } from '../wait.ts';
import { silent, useRedis } from './link.ts';
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

/** The kinds of Redis that suites run on. A cluster refuses what uses keys or channels of several slots. */
export const redisKinds: readonly [kind: string, use: () => RedisOfKind][] = [
  ['one node', useNode],
  ['a cluster of three', () => useCluster(3)],
];

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
    await startCluster(count, servers);
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
    portOf: (key) => ports()[Math.floor((slotOf(key) * count) / slotCount)] as number,
  });
}

/** @param servers takes the nodes, each with as many slots as the others */
export async function startCluster(count: number, servers: TestRedis[] = []): Promise<readonly TestRedis[]> {
  for (let index = 0; index < count; index += 1) servers.push(await startClusterNode(servers, count));
  await eventually('the cluster', async () => (await Promise.all(servers.map(isWhole))).every(Boolean));
  return servers;
}

/** Gives the node its part of the slots, and makes it known to the nodes that there are. */
async function startClusterNode(known: readonly TestRedis[], count: number): Promise<TestRedis> {
  // By default that port is 10,000 behind the other one, where anybody may be.
  const busPort = await freePort();
  const server = await startRedis(['--cluster-enabled', 'yes', '--cluster-port', String(busPort)]);
  const startOf = (node: number) => Math.ceil((node * slotCount) / count);
  await onRedis(server.port, async (redis) => {
    await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', known.length + 1);
    const [first, last] = [startOf(known.length), startOf(known.length + 1) - 1];
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
  });
  for (const { port } of known) {
    await onRedis(port, (redis) => redis.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort));
  }
  return server;
}

async function isWhole({ port }: TestRedis): Promise<boolean> {
  const info = await onRedis(port, (redis) => redis.call('CLUSTER', 'INFO'));
  return /state:ok/.test(String(info)) && new RegExp(`slots_ok:${slotCount}`).test(String(info));
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
