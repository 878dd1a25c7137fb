import { Child } from './children.ts';
import type { Instance, InstanceOptions } from './instance.ts';
import { type BenchRedis, startBenchRedis } from './redis.ts';
import { startCentrifugo } from './servers/centrifugo.ts';
import type { Collections, MemoryUse } from './servers/report.ts';
import { imageOptions, type Variant } from './variants.ts';

/** The instances of one variant over a Redis of their own. */
export interface Stage {
  readonly variant: Variant;
  readonly redis: BenchRedis;
  readonly instances: readonly Instance[];
  readonly ports: readonly number[];
  /** Microseconds of CPU of all instances that live, since their start. */
  cpu(): Promise<number>;
  /** Garbage collections of all instances of Node since they were asked for last; each may stop its own for so long. */
  collections(): Promise<Collections>;
  /** What was used since the start, by all instances that live and by Redis. */
  use(): Promise<StageUse>;
  /** Ends one of them. */
  lose(instance: Instance, signal?: NodeJS.Signals): Promise<void>;
  close(): Promise<void>;
}

export interface StageUse {
  /** Microseconds of the instances' CPU. */
  readonly cpu: number;
  readonly redisCpu: number;
  /** Commands in Redis, those in scripts too. */
  readonly calls: number;
}

export interface StageOptions {
  readonly instances: number;
  readonly nodeOptions?: readonly string[];
}

export async function openStage(variant: Variant, options: StageOptions): Promise<Stage> {
  const { nodeOptions = [] } = options;
  const redis = await startBenchRedis();
  const living = new Set(
    await Promise.all(
      Array.from({ length: options.instances }, (_, index) =>
        startInstance(variant, { redisUrl: redis.url, name: `${variant.name}-${index}`, nodeOptions }),
      ),
    ),
  );
  const instances = [...living];
  const cpu = async () => sum(await Promise.all([...living].map((instance) => instance.cpu())));
  return {
    variant,
    redis,
    instances,
    ports: instances.map(({ port }) => port),
    cpu,
    use: async () => {
      const calls = sum([...(await redis.calls()).values()]);
      return { cpu: await cpu(), redisCpu: await redis.cpu(), calls };
    },
    collections: async () => {
      const nodes = [...living].flatMap(({ node }) => node ?? []);
      const all = await Promise.all(
        nodes.map((node) => node.ask<Collections>('collections').catch(() => unknownCollections)),
      );
      return {
        total: sum(all.map(({ total }) => total)),
        longest: Math.max(0, ...all.map(({ longest }) => longest)),
      };
    },
    lose: async (instance, signal) => {
      living.delete(instance);
      await instance.end(signal);
    },
    close: async () => {
      await Promise.all([...living].map((instance) => instance.end()));
      await redis.stop();
    },
  };
}

async function startInstance(variant: Variant, options: InstanceOptions): Promise<Instance> {
  if (variant.entry === undefined) return startCentrifugo(options);
  const { redisUrl, name, nodeOptions } = options;
  const child = new Child(variant.entry, { REDIS_URL: redisUrl, INSTANCE: name }, [
    ...nodeOptions,
    ...(variant.nodeOptions ?? imageOptions),
  ]);
  return {
    pid: child.pid,
    port: await child.ask<number>('port'),
    cpu: () => child.ask<number>('cpu'),
    rss: () => child.ask<number>('rss'),
    memory: () => child.ask<MemoryUse>('memory'),
    node: child,
    end: (signal) => child.end(signal),
  };
}

/** An earlier commit's instances may not say it. */
const unknownCollections: Collections = { total: Number.NaN, longest: Number.NaN };

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
