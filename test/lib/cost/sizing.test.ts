import { connectionsPerVcpu } from '../../../lib/config/groups.ts';
import { capacity } from '../../../lib/cost/measured.ts';
import { cacheNodes } from '../../../lib/cost/prices.ts';
import { type Load, sizeOf } from '../../../lib/cost/sizing.ts';

const quiet: Load = { connections: 0, publishes: 0, audience: 10, participants: 0 };
const sizes = (load: Partial<Load>) => sizeOf({ ...quiet, ...load });
const tasks = (load: Partial<Load>) => sizes(load)[0];
const cache = (load: Partial<Load>) => sizes(load)[1];

test('without load there are two small tasks, because one may be lost', () => {
  expect(tasks({})).toMatchObject({ count: 2, because: 'the loss of one' });
});

test('the number of tasks follows the scarcest resource: connections, or CPU of deliveries', () => {
  expect(tasks({ connections: 40_000 })).toMatchObject({ count: 9, because: 'connections of a task' });
  const vCpus = 2.5;
  const deliveries = (vCpus * 0.6) / capacity.deliveryCpuSeconds;
  expect(tasks({ publishes: deliveries / 100, audience: 100 })).toMatchObject({
    // One more than 2.5 vCPUs at 60% need.
    count: 4,
    because: 'CPU of deliveries',
  });
});

test('the default target of connections lets the clients of a lost task reconnect within 3 s', () => {
  expect(connectionsPerVcpu * capacity.handshakeCpuSeconds).toBeLessThan(3);
});

test('the cache grows with the CPU of its one thread, and with memory', () => {
  expect(cache({ connections: 1_000, publishes: 10 })?.what).toBe('cache.t4g.micro');
  const atCpu = (share: number) => cache({ publishes: share / capacity.publishCpuSeconds })?.what;
  // A burstable node has a tenth of a vCPU in the long run.
  expect(atCpu(0.05)).toMatch(/^cache\.t4g/);
  expect(atCpu(0.15)).toBe('cache.m7g.large');
  expect(cache({ publishes: 10_000 })?.what).toBe('cache.r7g.large');
});

test('what one node does not carry needs shards, three at least, each with CPU and memory for its part', () => {
  // A message is 900 bytes for ten minutes.
  const bytes = (publishes: number) => publishes * 600 * 900;
  for (const publishes of [22_000, 60_000, 400_000]) {
    const { what = '', count = 0, because } = cache({ publishes }) ?? {};
    const [, node = '', shards] = /^(\S+) in (\d+) shards$/.exec(what) ?? [];
    expect(Number(shards)).toBeGreaterThanOrEqual(3);
    expect(count).toBe(2 * Number(shards));
    expect((publishes * capacity.shardPublishCpuSeconds) / Number(shards)).toBeLessThanOrEqual(0.6);
    const gib = cacheNodes[node]?.gib ?? 0;
    expect(bytes(publishes) / Number(shards)).toBeLessThanOrEqual(gib * 2 ** 30 * 0.75 * 0.7);
    expect(because).toContain('over all of them');
  }
  // Rooms that nobody writes to need memory alone, and one node has it.
  expect(cache({ connections: 10_000_000 })?.what).toBe('cache.r7g.large');
});

test('three shards carry more than twice as much as a single node', () => {
  const ratio = capacity.shardPublishCpuSeconds / capacity.publishCpuSeconds;
  expect(3 / ratio).toBeGreaterThan(2);
});

test('a load that no cluster carries is reported', () => {
  expect(cache({ publishes: (45 * 0.6 + 0.1) / capacity.shardPublishCpuSeconds })).toMatchObject({
    count: 0,
    what: 'no cluster carries this',
    because: expect.stringContaining('90 nodes at most: split it into deployments'),
  });
});

test('calls need hosts, one more than they fill', () => {
  const kinds = (participants: number) =>
    sizes({ participants }).find(({ what }) => what.startsWith('LiveKit'));
  expect(kinds(0)).toBeUndefined();
  expect(kinds(20)?.count).toBe(2);
  expect(kinds(60)?.count).toBe(4);
});

test('calls need a cache of their own beside shards, and share a single node', () => {
  const ofLiveKit = (load: Partial<Load>) => sizes(load).find(({ what }) => what.endsWith('of LiveKit'));
  expect(ofLiveKit({ participants: 20, publishes: 60_000 })).toMatchObject({ count: 2 });
  expect(ofLiveKit({ participants: 20, publishes: 100 })).toBeUndefined();
  expect(ofLiveKit({ publishes: 60_000 })).toBeUndefined();
});

test('messages cost egress', () => {
  const out = sizes({ publishes: 100 }).find(({ what }) => what.startsWith('GB'));
  // 100 × 10 × 600 bytes a second, for 730 hours.
  expect(out?.count).toBeCloseTo(1_576.8, 1);
});
