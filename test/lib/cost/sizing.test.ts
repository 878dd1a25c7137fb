import { connectionsPerVcpu } from '../../../lib/config/groups.ts';
import { capacity } from '../../../lib/cost/measured.ts';
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

test('a load that no node carries is reported', () => {
  expect(cache({ publishes: 0.61 / capacity.publishCpuSeconds })).toMatchObject({
    count: 0,
    what: 'no node carries this',
    because: expect.stringContaining('split it into deployments'),
  });
});

test('calls need hosts, one more than they fill', () => {
  const kinds = (participants: number) =>
    sizes({ participants }).find(({ what }) => what.startsWith('LiveKit'));
  expect(kinds(0)).toBeUndefined();
  expect(kinds(20)?.count).toBe(2);
  expect(kinds(60)?.count).toBe(4);
});

test('messages cost egress', () => {
  const out = sizes({ publishes: 100 }).find(({ what }) => what.startsWith('GB'));
  // 100 × 10 × 600 bytes a second, for 730 hours.
  expect(out?.count).toBeCloseTo(1_576.8, 1);
});
