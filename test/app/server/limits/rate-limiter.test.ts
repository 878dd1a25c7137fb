import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { RateLimiter, syncBy } from '../../../../app/server/limits/rate-limiter.ts';
import type { RedisLink } from '../../../../app/server/redis/connection/link.ts';
import { linksOver, linkTo } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';

let server: TestRedis;
const links: RedisLink[] = [];
beforeAll(async () => {
  server = await startRedis();
  for (const name of ['one', 'two', 'three']) links.push(await linkTo(server.url, name));
});
afterEach(() => jest.restoreAllMocks());
afterAll(async () => {
  await Promise.all(links.map((link) => link.close()));
  await server.stop();
});

const rule = { name: 'test', burst: 100, perSecond: 100 };
/** What is added while a test runs is nothing to it. */
const slow = { ...rule, perSecond: 0.001 };

function limiterOver(link: RedisLink, of = rule): RateLimiter {
  return new RateLimiter({ rule: of, sync: syncBy(linksOver(link), 'limits') });
}

/**
 * Three instances let through three buckets at once, and what each would alone, until they have synced. Then they pay that
 * back: in the end it is what one alone lets through which gets the same calls.
 */
test('three instances together let through what one would, once the head start is paid back', async () => {
  const limiters = links.map((link) => limiterOver(link));
  const alone = new RateLimiter({ rule });
  let passed = 0;
  let passedAlone = 0;
  const start = Date.now();
  let settleAt = start + 1_000;
  const seconds = () => (Date.now() - start) / 1_000;
  await eventually('the head start to be paid back', async () => {
    for (const limiter of limiters) {
      for (let call = 0; call < 10; call += 1) {
        if (limiter.consume('ada') === undefined) passed += 1;
        if (alone.consume('ada') === undefined) passedAlone += 1;
      }
    }
    if (Date.now() >= settleAt) {
      settleAt += 1_000;
      await Promise.all(limiters.map((limiter) => limiter.syncAll()));
    }
    return seconds() > 3 && passed <= (rule.burst + rule.perSecond * seconds()) * 1.1;
  });
  expect(passed).toBeGreaterThanOrEqual(passedAlone * 0.6);
});

test('who stays below the limit is never refused, however often it is synced', async () => {
  const limiter = limiterOver(links[0] as RedisLink);
  for (let round = 0; round < 20; round += 1) {
    for (let call = 0; call < 5; call += 1) expect(limiter.consume('bob')).toBeUndefined();
    await limiter.syncAll();
    await delay(50);
  }
});

test('a burst on one instance is known to the others after they sync', async () => {
  const [one, two] = links.map((link) => limiterOver(link, slow)) as [RateLimiter, RateLimiter];
  for (let call = 0; call < 100; call += 1) one.consume('carl');
  for (let call = 0; call < 100; call += 1) two.consume('carl');
  await one.syncAll();
  await two.syncAll();
  expect(one.consume('carl')).toBeGreaterThan(0);
  expect(two.consume('carl')).toBeGreaterThan(0);
});

test('a refusal tells when to come back, and coming back then goes through', () => {
  let now = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const limiter = new RateLimiter({ rule: { name: 'x', burst: 1, perSecond: 16 } });
  expect(limiter.consume('dora')).toBeUndefined();
  expect(limiter.consume('dora')).toBe(63);
  now += 62;
  expect(limiter.consume('dora')).toBe(1);
  now += 1;
  expect(limiter.consume('dora')).toBeUndefined();
});

test('while Redis is away the local limit holds, and nothing is rejected', async () => {
  const away = syncBy({ shardOf: () => undefined }, 'limits');
  const limiter = new RateLimiter({ rule: slow, sync: away });
  let passed = 0;
  for (let call = 0; call < 1_000; call += 1) passed += limiter.consume('eve') === undefined ? 1 : 0;
  await limiter.syncAll();
  expect(passed).toBe(slow.burst);
});

test('a flood of callers takes bounded memory, and every key in Redis has an age', async () => {
  // Who came first has a full bucket again before the last one comes, as on a slow machine or in a long flood.
  let now = performance.now();
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const sync = syncBy(linksOver(links[0] as RedisLink), 'aged');
  const limiter = new RateLimiter({ rule: { name: 'x', burst: 1, perSecond: 1 }, sync, callers: 500 });
  for (let caller = 0; caller < 5_000; caller += 1) {
    limiter.consume(`caller ${caller} {}%`);
    now += 1;
  }
  expect(limiter.size).toBe(500);
  jest.restoreAllMocks();
  await limiter.syncAll();
  const redis = await connectRedis(server.port);
  try {
    const keys = await redis.keys('aged:*');
    expect(keys).toHaveLength(500);
    const ages = await Promise.all(keys.map((key) => redis.pttl(key)));
    expect(Math.min(...ages)).toBeGreaterThan(0);
    expect(Math.max(...ages)).toBeLessThan(60_000);
  } finally {
    redis.disconnect();
  }
});

test('what costs more than is there is a debt, which later calls wait for', () => {
  const limiter = new RateLimiter({ rule: { name: 'bytes', burst: 1_000, perSecond: 1_000 } });
  expect(limiter.wait('fay')).toBeUndefined();
  expect(limiter.consume('fay', 3_000)).toBeUndefined();
  expect(limiter.consume('fay', 1)).toBeGreaterThan(1_500);
  // What was used already is taken whether it is there or not.
  limiter.charge('fay', 10_000);
  expect(limiter.wait('fay')).toBeGreaterThan(11_000);
});

test('a bucket that is full again, and was not used meanwhile, is dropped', async () => {
  const limiter = new RateLimiter({ rule: { name: 'quick', burst: 2, perSecond: 1_000 } });
  for (let caller = 0; caller < 100; caller += 1) limiter.consume(`caller ${caller}`);
  limiter.charge('in debt', 1_000_000);
  expect(limiter.size).toBe(101);
  await delay(10);
  await limiter.syncAll();
  await limiter.syncAll();
  expect(limiter.size).toBe(1);
  expect(limiter.wait('in debt')).toBeGreaterThan(0);
});

test('who owes is not forgotten for the sake of new callers, who then share what is left', () => {
  const limiter = new RateLimiter({ rule: { name: 'slow', burst: 2, perSecond: 0.001 }, callers: 100 });
  for (let caller = 0; caller < 100; caller += 1) limiter.charge(`in debt ${caller}`, 5);
  const passed = Array.from({ length: 1_000 }, (_, n) => limiter.consume(`new ${n}`)).filter(
    (waitMs) => waitMs === undefined,
  );
  expect(passed).toHaveLength(2);
  expect(limiter.wait('new 5000')).toBeGreaterThan(0);
  for (let caller = 0; caller < 100; caller += 1)
    expect(limiter.wait(`in debt ${caller}`)).toBeGreaterThan(0);
});

test('of callers who owe nothing the one that loses least makes room', () => {
  const limiter = new RateLimiter({ rule: { name: 'slow', burst: 10, perSecond: 0.001 }, callers: 16 });
  for (let caller = 0; caller < 16; caller += 1) limiter.charge(`caller ${caller}`, caller === 7 ? 1 : 12);
  expect(limiter.consume('new')).toBeUndefined();
  expect(limiter.size).toBe(16);
  for (let caller = 0; caller < 16; caller += 1) {
    const isFree = limiter.wait(`caller ${caller}`) === undefined;
    expect([caller, isFree]).toEqual([caller, caller === 7]);
  }
});
