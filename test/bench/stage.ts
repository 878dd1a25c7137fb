import { Child } from './children.ts';
import { type BenchRedis, startBenchRedis } from './redis.ts';
import type { Variant } from './variants.ts';

/** The instances of one variant over a Redis of their own. */
export interface Stage {
  readonly redis: BenchRedis;
  readonly servers: readonly Child[];
  readonly ports: readonly number[];
  /** Microseconds of CPU of all instances since their start. */
  cpu(): Promise<number>;
  /** Does it while each instance takes a CPU profile of itself; without a folder it is only done. */
  profile<T>(folder: string | undefined, act: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly instances: number;
  readonly nodeOptions?: readonly string[];
}

export async function openStage(variant: Variant, options: StageOptions): Promise<Stage> {
  const { instances, nodeOptions = [] } = options;
  const redis = await startBenchRedis();
  const servers = Array.from(
    { length: instances },
    (_, index) =>
      new Child(variant.entry, { REDIS_URL: redis.url, INSTANCE: `${variant.name}-${index}` }, nodeOptions),
  );
  const ports = await Promise.all(servers.map((server) => server.ask<number>('port')));
  return {
    redis,
    servers,
    ports,
    cpu: async () => sum(await Promise.all(servers.map((server) => server.ask<number>('cpu')))),
    profile: async (folder, act) => {
      if (folder === undefined) return act();
      await Promise.all(servers.map((server) => server.ask('startProfile')));
      const result = await act();
      const file = (index: number) => `${folder}/${variant.name}-${index}.cpuprofile`;
      await Promise.all(servers.map((server, index) => server.ask('stopProfile', file(index))));
      return result;
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.end()));
      await redis.stop();
    },
  };
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
