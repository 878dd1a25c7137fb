import { type Load, sizeOf } from '../../../lib/cost/sizing.ts';

const quiet: Load = { connections: 0, publishes: 0, audience: 10, participants: 0 };
const sizes = (load: Partial<Load>) => sizeOf({ ...quiet, ...load });
const tasks = (load: Partial<Load>) => sizes(load)[0];
const cache = (load: Partial<Load>) => sizes(load)[1];

test('nothing to do takes two small tasks: one may be lost', () => {
  expect(tasks({})).toMatchObject({ count: 2, because: 'the loss of one' });
});

test('tasks follow what binds: connections, or deliveries', () => {
  expect(tasks({ connections: 40_000 })).toMatchObject({ count: 9, because: 'connections of a task' });
  // 1,000 publishes a second to 100 members are 100,000 deliveries at 14.6 µs: 1.46 s of CPU, at 60% of a vCPU each.
  expect(tasks({ publishes: 1_000, audience: 100 })).toMatchObject({
    count: 4,
    because: 'CPU of deliveries',
  });
});

test('the cache grows with memory and with the CPU of its one thread', () => {
  expect(cache({ connections: 1_000, publishes: 10 })?.what).toBe('cache.t4g.micro');
  // A burstable node has a tenth of a processor for long.
  expect(cache({ publishes: 3_000 })?.what).toBe('cache.m7g.large');
  expect(cache({ publishes: 10_000 })?.what).toBe('cache.r7g.large');
});

test('what no node carries is said', () => {
  expect(cache({ publishes: 20_000 })).toMatchObject({
    count: 0,
    what: 'no node carries this',
    because: expect.stringContaining('split it into deployments'),
  });
});

test('calls take hosts, one more than they fill', () => {
  const kinds = (participants: number) =>
    sizes({ participants }).find(({ what }) => what.startsWith('LiveKit'));
  expect(kinds(0)).toBeUndefined();
  expect(kinds(20)?.count).toBe(2);
  expect(kinds(60)?.count).toBe(4);
});

test('messages cost their way out', () => {
  const out = sizes({ publishes: 100 }).find(({ what }) => what.startsWith('GB'));
  // 100 × 10 × 600 bytes a second, for 730 hours.
  expect(out?.count).toBeCloseTo(1_576.8, 1);
});
