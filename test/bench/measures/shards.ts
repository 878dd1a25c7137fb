import { Redis } from 'ioredis';
import { PrivateFolder, Watchdog } from '../../../lib/local/processes/watchdog.ts';
import { RedisCluster } from '../../../lib/local/redis/cluster.ts';
import { redisBinary } from '../../support/redis/redis.ts';
import { Child } from '../children.ts';
import type { ShardLoad, ShardLoadFigures } from '../load/shard-instance.ts';
import { startBenchRedis } from '../redis.ts';
import type { BenchContext } from '../rounds.ts';

export const shardCounts = [1, 3, 6] as const;
export type ShardCount = (typeof shardCounts)[number];

export interface ShardFigures {
  /** Microseconds of all primaries' CPU for one publish with the contract. */
  readonly cpuPerAppend: number;
  /** The same of the instance. */
  readonly instanceCpuPerAppend: number;
  /** From a publish to what its own instance hears of it, four under way, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Connections to Redis of an instance. */
  readonly connections: number;
  /** Memory (RSS) of an instance that has joined, in bytes. */
  readonly rss: number;
}

export type ShardResults = ReadonlyMap<ShardCount, readonly ShardFigures[]>;

/** Primaries with a replica each. */
interface Shards {
  readonly url: string;
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** What a publish costs on one node and on the shards of a cluster. */
export async function measureShards(context: BenchContext): Promise<ShardResults> {
  const results = new Map<ShardCount, ShardFigures[]>(shardCounts.map((count) => [count, []]));
  for (let round = 1; round <= context.rounds; round += 1) {
    for (const count of shardCounts) {
      const figures = await measureOnce(count, context.quick ? 1_500 : 5_000);
      results.get(count)?.push(figures);
      context.print(`shards, round ${round} of ${context.rounds}, ${count}: ${JSON.stringify(figures)}`);
    }
  }
  return results;
}

async function measureOnce(count: ShardCount, forMs: number): Promise<ShardFigures> {
  const shards = count === 1 ? await startNode() : await startCluster(count);
  const [driver, listener] = [new Child('load/shard-instance'), new Child('load/shard-instance')];
  const primaries = shards.ports.map((port) => new Redis({ port, disableClientInfo: true }));
  const load: ShardLoad = { rooms: 400, underWay: 50, forMs };
  try {
    const [rss] = await Promise.all([driver, listener].map((child) => child.ask<number>('open', shards.url)));
    await Promise.all([driver, listener].map((child) => child.ask('listen', load.rooms)));
    await driver.ask('append', { ...load, forMs: 1_000 });
    const quiet = await driver.ask<ShardLoadFigures>('append', { ...load, underWay: 4 });
    const cpu = await cpuOf(primaries);
    const busy = await driver.ask<ShardLoadFigures>('append', load);
    const used = (await cpuOf(primaries)) - cpu;
    if (quiet.latencies.length < quiet.appends * 0.99)
      throw new Error(`${quiet.latencies.length} of ${quiet.appends} messages were heard`);
    return {
      cpuPerAppend: used / busy.appends,
      instanceCpuPerAppend: busy.cpu / busy.appends,
      p50: percentile(quiet.latencies, 0.5),
      p99: percentile(quiet.latencies, 0.99),
      connections: (await connectionsOf(primaries)) / 2,
      rss: rss as number,
    };
  } finally {
    for (const client of primaries) client.disconnect();
    await Promise.all([driver, listener].map((child) => child.end()));
    await shards.stop();
  }
}

async function startNode(): Promise<Shards> {
  const primary = await startBenchRedis(['--repl-diskless-sync-delay', '0']);
  const replica = await startBenchRedis(['--replicaof', '127.0.0.1', String(primary.port)]);
  return {
    url: primary.url,
    ports: [primary.port],
    stop: async () => void (await Promise.all([primary.stop(), replica.stop()])),
  };
}

async function startCluster(shards: number): Promise<Shards> {
  const watchdog = new Watchdog();
  const folder = new PrivateFolder(watchdog);
  const cluster = await RedisCluster.prepare({ binary: redisBinary, shards, watchdog, folder });
  await cluster.start(new AbortController().signal);
  const primaries = await Promise.all(
    Array.from({ length: shards }, (_, index) => cluster.primaryOf(index + 1)),
  );
  const ports = primaries.flatMap((node) => (node ? [node.port] : []));
  return {
    url: `redis://127.0.0.1:${ports.join(',127.0.0.1:')}`,
    ports,
    stop: async () => {
      cluster.close();
      await cluster.stop(0);
      folder.remove();
      watchdog.close();
    },
  };
}

async function cpuOf(primaries: readonly Redis[]): Promise<number> {
  const infos = await Promise.all(primaries.map((client) => client.info('cpu')));
  const seconds = infos.flatMap((info) =>
    Array.from(info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm), ([, value]) => Number(value)),
  );
  return seconds.reduce((sum, value) => sum + value, 0) * 1e6;
}

/** Of instances: the bench's own are not named. */
async function connectionsOf(primaries: readonly Redis[]): Promise<number> {
  const lists = await Promise.all(primaries.map((client) => client.client('LIST') as Promise<string>));
  return lists.join('\n').match(/ name=bench-/g)?.length ?? 0;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}
