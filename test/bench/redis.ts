import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '../support/redis/redis.ts';

/** A Redis of one run's own, and what it has used. */
export interface BenchRedis {
  readonly port: number;
  readonly url: string;
  readonly client: Redis;
  /** Microseconds of its own CPU since its start. */
  cpu(): Promise<number>;
  /** How often each command was called since its start, those in scripts too. */
  calls(): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

const running = new Set<TestRedis>();

export async function startBenchRedis(options: readonly string[] = []): Promise<BenchRedis> {
  const server = await startRedis(options);
  running.add(server);
  const client = new Redis(server.url);
  return {
    port: server.port,
    url: server.url,
    client,
    cpu: async () => cpuOf(await client.info('cpu')),
    calls: async () => callsOf(await client.info('commandstats')),
    stop: async () => {
      client.disconnect();
      running.delete(server);
      await server.stop();
    },
  };
}

export function killAllRedis(): void {
  for (const { process } of running) process.kill('SIGKILL');
}

function cpuOf(info: string): number {
  const seconds = (field: string) => Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
}

function callsOf(info: string): Map<string, number> {
  const lines = info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  return new Map([...lines].map(([, command = '', calls]) => [command, Number(calls)]));
}
