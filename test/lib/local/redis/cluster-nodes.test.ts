import { PrivateFolder, Watchdog } from '../../../../lib/local/processes/watchdog.ts';
import { RedisCluster } from '../../../../lib/local/redis/cluster.ts';
import { type ClusterNode, parseNodes } from '../../../../lib/local/redis/cluster-node.ts';
import { closeOpenSlots, firstSlotsOf, SlotMigration } from '../../../../lib/local/redis/slot-migration.ts';
import { redisBinary } from '../../../support/redis/redis.ts';
import { eventually } from '../../../support/wait.ts';

let watchdog: Watchdog;
let folder: PrivateFolder;
let cluster: RedisCluster;
const printed: string[] = [];

beforeAll(async () => {
  watchdog = new Watchdog();
  folder = new PrivateFolder(watchdog);
  const options = { binary: redisBinary, shards: 3, nodeTimeoutMs: 2_000, watchdog, folder };
  const print = (line: string) => printed.push(line);
  cluster = await RedisCluster.prepare({ ...options, print });
  await cluster.start(new AbortController().signal);
});

afterAll(async () => {
  cluster.close();
  await cluster.stop(0);
  folder.remove();
  watchdog.close();
});

async function primaryOf(shard: number): Promise<ClusterNode> {
  return (await cluster.primaryOf(shard)) as ClusterNode;
}

test('no port of a node is one that an outgoing connection may have, not the one for other nodes either', () => {
  const ports = cluster.nodes.flatMap(({ port, busPort }) => [port, busPort]);
  expect(new Set(ports).size).toBe(12);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});

test('a slot that was left half-way goes on to where it was going, with the keys that stayed behind', async () => {
  const source = await primaryOf(1);
  // The slot of `{06S}` is 0.
  const slot = await source.call<number>('CLUSTER', 'KEYSLOT', '{06S}');
  expect(await firstSlotsOf(cluster, 1, 1)).toEqual([[slot, slot]]);
  await source.call('SET', '{06S}:one', '1');
  const migration = new SlotMigration(cluster, { slot, from: 1, to: 2 });
  await migration.open();
  await migration.moveKeys();
  expect((await source.self())?.open).toMatchObject([{ slot, isLeaving: true }]);
  expect(await closeOpenSlots(cluster)).toBe(1);
  const target = await primaryOf(2);
  expect(await target.call('GET', '{06S}:one')).toBe('1');
  expect([(await source.self())?.open, (await target.self())?.open]).toEqual([[], []]);
  expect(await closeOpenSlots(cluster)).toBe(0);
  await eventually('all nodes to know it', async () => {
    const views = await Promise.all(cluster.nodes.map((node) => node.entries()));
    return views.every((entries) =>
      entries.some(({ port, ranges }) => port === target.port && ranges.some(([first]) => first === slot)),
    );
  });
});

test('a shard keeps one slot at least', async () => {
  await expect(firstSlotsOf(cluster, 3, 5462)).rejects.toThrow('shard 3 has 5462 slots, and must keep one');
});

test('two of three primaries die: no majority elects, so their replicas are made primaries, with all data', async () => {
  const doomed = await Promise.all([primaryOf(1), primaryOf(3)]);
  const [[first] = []] = (await doomed[1]?.self())?.ranges ?? [];
  const key = await keyIn(first as number);
  await doomed[1]?.call('SET', key, '3');
  await doomed[1]?.call('WAIT', 1, 2_000);
  for (const node of doomed) node.process.kill();
  await eventually('both shards to be served by others', async () => {
    const primaries = await Promise.all([cluster.primaryOf(1), cluster.primaryOf(3)]);
    return primaries.every((node) => node !== undefined && !doomed.includes(node));
  });
  await cluster.untilReady(60_000);
  expect(await (await primaryOf(3)).call('GET', key)).toBe('3');
  // The second one may be elected, as soon as the first one makes a majority again.
  expect(printed[0]).toMatch(
    /^redis-\d-\d is made the primary of shard [13] by force: no majority is left to elect it$/,
  );
  await eventually('the state to show it', () =>
    cluster.status().every(({ primary, replicas }) => primary !== undefined && replicas.length === 1),
  );
});

/** A key of this slot, or of one soon behind it. */
async function keyIn(first: number): Promise<string> {
  const node = cluster.nodes[0] as ClusterNode;
  for (let number = 0; ; number += 1) {
    const slot = await node.call<number>('CLUSTER', 'KEYSLOT', `key ${number}`);
    if (slot >= first) return `key ${number}`;
  }
}

test('what a node says of the cluster', () => {
  const text = [
    'aa 127.0.0.1:7001@7101,localhost myself,master - 0 0 3 connected 0-5460 5470 [93->-bb]',
    'bb 127.0.0.1:7002@7102 master - 0 1 2 connected 5461-5469 [77-<-aa]',
    'cc 127.0.0.1:7003@7103 slave,fail aa 0 1 3 disconnected',
    '',
  ].join('\n');
  expect(parseNodes(text)).toEqual([
    {
      id: 'aa',
      flags: ['myself', 'master'],
      primary: undefined,
      port: 7001,
      ranges: [
        [0, 5460],
        [5470, 5470],
      ],
      open: [{ slot: 93, isLeaving: true, other: 'bb' }],
    },
    {
      id: 'bb',
      flags: ['master'],
      primary: undefined,
      port: 7002,
      ranges: [[5461, 5469]],
      open: [{ slot: 77, isLeaving: false, other: 'aa' }],
    },
    { id: 'cc', flags: ['slave', 'fail'], primary: 'aa', port: 7003, ranges: [], open: [] },
  ]);
});
