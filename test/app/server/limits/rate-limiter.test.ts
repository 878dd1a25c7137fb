import { setTimeout as delay } from 'node:timers/promises';
import { RateLimiter } from '../../../../app/server/limits/rate-limiter.ts';
import { settleBy } from '../../../../app/server/limits/settle.ts';
import type { RedisLink } from '../../../../app/server/redis/link.ts';
import { linkTo } from '../../../support/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis.ts';
import { connectRedis } from '../../../support/redis-client.ts';

let server: TestRedis;
const links: RedisLink[] = [];
beforeAll(async () => {
  server = await startRedis();
  for (const name of ['one', 'two', 'three']) links.push(await linkTo(server.url, name));
});
afterAll(async () => {
  await Promise.all(links.map((link) => link.close()));
  await server.stop();
});

const rule = { name: 'test', burst: 100, perSecond: 100 };

function limiterOver(link: RedisLink): RateLimiter {
  return new RateLimiter({ rule, settle: settleBy({ commands: link, available: () => true }, 'limits') });
}

/** Calls on every limiter, without a pause longer than 10 ms, and settles as the service does. */
async function flood(limiters: readonly RateLimiter[], caller: string, forMs: number): Promise<number> {
  let passed = 0;
  let settleAt = Date.now() + 1_000;
  const end = Date.now() + forMs;
  while (Date.now() < end) {
    for (const limiter of limiters) {
      for (let call = 0; call < 10; call += 1) if (limiter.take(caller) === undefined) passed += 1;
    }
    if (Date.now() >= settleAt) {
      settleAt += 1_000;
      await Promise.all(limiters.map((limiter) => limiter.settleAll()));
    }
    await delay(10);
  }
  return passed;
}

test('three instances together let through what one would, once the head start is paid back', async () => {
  const limiters = links.map(limiterOver);
  const start = Date.now();
  const passed = await flood(limiters, 'ada', 6_000);
  const seconds = (Date.now() - start) / 1_000;
  const exact = rule.burst + rule.perSecond * seconds;
  expect(passed).toBeLessThanOrEqual(exact * 1.1 + rule.burst);
  expect(passed).toBeGreaterThanOrEqual(exact * 0.6);

  // Alone each of them would let through so much.
  const alone = links.map(() => new RateLimiter({ rule }));
  let without = 0;
  for (const limiter of alone) for (let n = 0; n < 1_000; n += 1) without += limiter.take('ada') ? 0 : 1;
  expect(without).toBeGreaterThanOrEqual(3 * rule.burst);
}, 30_000);

test('who stays below the limit is never refused, however often it is settled', async () => {
  const limiter = limiterOver(links[0] as RedisLink);
  for (let round = 0; round < 20; round += 1) {
    for (let call = 0; call < 5; call += 1) expect(limiter.take('bob')).toBeUndefined();
    await limiter.settleAll();
    await delay(50);
  }
});

test('a burst on one instance is known to the others after they settle', async () => {
  const [one, two] = links.map(limiterOver) as [RateLimiter, RateLimiter];
  for (let call = 0; call < 100; call += 1) one.take('carl');
  for (let call = 0; call < 100; call += 1) two.take('carl');
  await one.settleAll();
  await two.settleAll();
  expect(one.take('carl')).toBeGreaterThan(0);
  expect(two.take('carl')).toBeGreaterThan(0);
});

test('a refusal tells when to come back, and coming back then goes through', async () => {
  const limiter = new RateLimiter({ rule: { name: 'slow', burst: 1, perSecond: 20 } });
  expect(limiter.take('dora')).toBeUndefined();
  const waitMs = limiter.take('dora') as number;
  expect(waitMs).toBeGreaterThan(0);
  expect(waitMs).toBeLessThanOrEqual(50);
  await delay(waitMs + 10);
  expect(limiter.take('dora')).toBeUndefined();
});

test('while Redis is away the local limit holds, and nothing is rejected', async () => {
  const away = settleBy({ commands: { connection: undefined }, available: () => false }, 'limits');
  const limiter = new RateLimiter({ rule, settle: away });
  let passed = 0;
  for (let call = 0; call < 1_000; call += 1) passed += limiter.take('eve') === undefined ? 1 : 0;
  await limiter.settleAll();
  expect(passed).toBeGreaterThanOrEqual(rule.burst);
  expect(passed).toBeLessThan(1_000);
});

test('a flood of callers takes bounded memory, and every key in Redis has an age', async () => {
  const settle = settleBy({ commands: links[0] as RedisLink, available: () => true }, 'aged');
  const limiter = new RateLimiter({ rule: { name: 'x', burst: 1, perSecond: 1 }, settle, callers: 500 });
  for (let caller = 0; caller < 5_000; caller += 1) limiter.take(`caller ${caller} {}%`);
  expect(limiter.size).toBe(500);
  await limiter.settleAll();
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
