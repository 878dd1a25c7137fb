import type { RedisOptions } from 'ioredis';
import { slotCount } from '../../../app/server/redis/buckets.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { eventually } from '../wait.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { onRedis } from './redis-client.ts';

export interface PrimariesOptions {
  /** Of each server, as `startRedis` takes them. @default none */
  readonly arguments?: readonly string[];
  /** Of an administrator. @default nobody logs in */
  readonly login?: Pick<RedisOptions, 'username' | 'password'>;
}

/**
 * A cluster of primaries alone, each with as many slots as the others: for tests in which no node dies.
 * @param servers takes the nodes as they start, so that they can be stopped when one does not
 */
export async function startPrimaries(
  count: number,
  options: PrimariesOptions = {},
  servers: TestRedis[] = [],
): Promise<readonly TestRedis[]> {
  for (let index = 0; index < count; index += 1) servers.push(await startPrimary(servers, count, options));
  const isWhole = async ({ port }: TestRedis) => {
    const info = await onRedis(port, (redis) => redis.call('CLUSTER', 'INFO'), options.login);
    const marks = ['cluster_state:ok', `cluster_slots_ok:${slotCount}`, `cluster_known_nodes:${count}`];
    return marks.every((mark) => String(info).includes(mark));
  };
  await eventually('the cluster', async () => (await Promise.all(servers.map(isWhole))).every(Boolean));
  return servers;
}

/** The primary that has a slot, by its index. */
export const primaryOf = (slot: number, count: number): number => Math.floor((slot * count) / slotCount);

/** Gives the node its part of the slots, and makes it known to the nodes that there are. */
async function startPrimary(
  known: readonly TestRedis[],
  count: number,
  { arguments: more = [], login }: PrimariesOptions,
): Promise<TestRedis> {
  // By default that port is 10,000 behind the other one, where anybody may be.
  const busPort = await freePort();
  const server = await startRedis(['--cluster-enabled', 'yes', '--cluster-port', String(busPort), ...more]);
  const startOf = (node: number) => Math.ceil((node * slotCount) / count);
  await onRedis(
    server.port,
    async (redis) => {
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', known.length + 1);
      const [first, last] = [startOf(known.length), startOf(known.length + 1) - 1];
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
    },
    login,
  );
  for (const { port } of known) {
    await onRedis(port, (redis) => redis.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort), login);
  }
  return server;
}
