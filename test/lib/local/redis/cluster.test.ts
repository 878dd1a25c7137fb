import { readFileSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import { ControlClient } from '../../../../lib/local/control/client.ts';
import type { ShardStatus } from '../../../../lib/local/redis/cluster.ts';
import type { TopologyState } from '../../../../lib/local/state.ts';
import { eventually } from '../../../support/wait.ts';
import { ask } from '../fixtures/client.ts';
import { allGone, fakeService, LocalCommand } from '../fixtures/local-command.ts';

let command: LocalCommand;
let state: TopologyState;
let control: ControlClient;
/** Follows what the nodes say of each other, as the service does. */
let redis: Cluster;

beforeAll(async () => {
  command = new LocalCommand(['--shards', '3', '--entry', fakeService, '--livekit', '0']);
  state = await command.ready();
  control = new ControlClient(state.control);
  redis = clusterOf(state);
  await redis.set('before', '1');
});

afterAll(async () => {
  redis.disconnect();
  command.process.kill('SIGTERM');
  await command.ended();
  await allGone(state.processes.map(({ pid }) => pid));
});

function clusterOf({ redis: admin }: TopologyState): Cluster {
  const { url, caFile } = admin as NonNullable<typeof admin>;
  const { username, password, port } = new URL(url);
  const tls = { ca: readFileSync(caFile) };
  const redisOptions = { username, password, tls, disableClientInfo: true, enableOfflineQueue: true };
  return new Cluster([{ host: 'localhost', port: Number(port) }], { redisOptions });
}

async function shard(number: number): Promise<ShardStatus> {
  return (await control.state()).shards?.[number - 1] as ShardStatus;
}

async function setInEachShard(count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `key ${index}`);
  await Promise.all(keys.map((key) => redis.set(key, key)));
  return keys;
}

async function allThere(keys: readonly string[]): Promise<boolean> {
  return (await Promise.all(keys.map((key) => redis.get(key)))).every((text, index) => text === keys[index]);
}

test('three primaries with a replica each, all slots, over TLS alone; nobody was denied anything', async () => {
  const { shards, processes } = await control.state();
  expect(shards).toEqual(
    [1, 2, 3].map((number) => ({
      shard: number,
      primary: `redis-${number}-1`,
      replicas: [`redis-${number}-2`],
      slots: number === 3 ? 5462 : 5461,
      ranges: [[(number - 1) * 5461, number === 3 ? 16_383 : number * 5461 - 1]],
    })),
  );
  expect(command.output).toMatch(
    /redis-1-1 +rediss:\/\/localhost:\d+ +pid \d+ +\w+ [\d.]+ +shard 1, primary/,
  );
  expect(command.output).toMatch(/redis-3-2 .* shard 3, replica/);
  expect(command.output).toContain('redis-cli -c --tls');
  expect(command.output).not.toContain('redis denied');
  const ports = processes.filter(({ kind }) => kind === 'redis').map(({ port }) => port as number);
  expect(ports).toHaveLength(6);
  for (const port of ports) {
    const plain = new Redis({ port, lazyConnect: true, retryStrategy: null });
    plain.on('error', () => undefined);
    await expect(plain.connect()).rejects.toThrow();
    plain.disconnect();
  }
});

test('a primary that is killed is replaced by its replica, and follows that one when it is back', async () => {
  const keys = await setInEachShard(100);
  const { id } = await control.killPrimary(1);
  expect(id).toBe('redis-1-1');
  await eventually('the replica to take over', async () => (await shard(1)).primary === 'redis-1-2');
  await eventually('it to be back', async () => (await shard(1)).replicas.includes('redis-1-1'));
  expect(command.output).toContain('waits until another node of its shard is the primary');
  await eventually('all data to be there', () => allThere(keys));
});

test('a failover in order: the replica is the primary at once', async () => {
  const keys = await setInEachShard(100);
  const before = await shard(2);
  expect(await control.failOver(2)).toEqual({ id: before.replicas[0] });
  await eventually('it to be seen', async () => (await shard(2)).primary === before.replicas[0]);
  await eventually('all data to be there', () => allThere(keys));
});

test('slots move with their keys, and what is asked for wrongly is refused with the reason', async () => {
  const keys = await setInEachShard(500);
  const { ms, ...moved } = await control.moveSlots(3, 1, 300);
  expect(moved).toEqual({ from: 3, to: 1, slots: 300 });
  expect(ms).toBeGreaterThan(0);
  await eventually('it to be seen', async () => (await shard(3)).slots === 5162);
  expect((await shard(1)).slots).toBe(5761);
  expect(await allThere(keys)).toBe(true);
  await expect(control.moveSlots(3, 3, 1)).rejects.toThrow('400 to must be another shard than 3');
  await expect(control.moveSlots(3, 1, 5162)).rejects.toThrow(
    '409 shard 3 has 5162 slots, and must keep one',
  );
  await expect(control.moveSlots(1, 9, 1)).rejects.toThrow('404 no shard 9; there are 1 to 3');
  await expect(control.moveSlots(1, 2, 0)).rejects.toThrow(
    '400 slots must be a whole number from 1 to 16384',
  );
  await expect(control.killPrimary(4)).rejects.toThrow('404 no shard 4');
});

test('the page sees the shards, and breaks them; Redis as a whole goes away and comes back empty', async () => {
  const port = Number(new URL(state.url).port);
  const local = (method: 'GET' | 'POST', path: string) => ask(port, { method, path: `/local${path}` });
  expect(JSON.parse((await local('GET', '/state')).body).shards).toHaveLength(3);
  expect((await local('POST', '/shards/1/failover')).status).toBe(200);
  expect((await local('POST', '/redis/stop')).status).toBe(200);
  expect((await local('POST', '/redis/stop')).status).toBe(409);
  await eventually('no shard to be served', async () => (await shard(1)).primary === undefined);
  expect((await local('POST', '/redis/start')).status).toBe(200);
  const { shards = [] } = await control.state();
  expect(shards.map(({ primary, replicas }) => [primary !== undefined, replicas.length])).toEqual(
    [1, 2, 3].map(() => [true, 1]),
  );
  await eventually('it to be empty', async () => (await redis.get('before').catch(() => '')) === null);
});
