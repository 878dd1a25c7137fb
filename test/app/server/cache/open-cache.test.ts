import { openCache } from '../../../../app/server/cache/open-cache.ts';
import { linksOver, useRedis } from '../../../support/redis/link.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';

const own = useRedis();

const linksOf = (available = true) => linksOver(own.link, () => available);
const open = <T>(name: string, more: object = {}) =>
  openCache<T>({ name, deployment: 'cache-test', links: linksOf(), ...more });

test('what one instance sets, another gets, with an age in Redis', async () => {
  const [one, two] = [open<{ n: number }>('shared'), open<{ n: number }>('shared')];
  await one.set('a {b} %', { n: 1 }, 60_000);
  expect(await two.get('a {b} %')).toEqual({ n: 1 });
  expect(await open('other').get('a {b} %')).toBeUndefined();
  const redis = await connectRedis(own.server.port);
  const [key] = await redis.keys('cache-test:*');
  const age = await redis.pttl(key as string);
  redis.disconnect();
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThanOrEqual(60_000);
});

test('a value goes at the end of its time, here and elsewhere', async () => {
  const [one, two] = [open<string>('aged'), open<string>('aged', { localMs: 1 })];
  await one.set('k', 'v', 100);
  await eventually('it to be gone', async () => {
    return (await one.get('k')) === undefined && (await two.get('k')) === undefined;
  });
});

test('a value that is changed elsewhere is told from memory for `localMs` at most', async () => {
  const [one, two] = [open<number>('stale'), open<number>('stale', { localMs: 50 })];
  await one.set('k', 1, 60_000);
  expect(await two.get('k')).toBe(1);
  await one.set('k', 2, 60_000);
  await eventually('the new value', async () => (await two.get('k')) === 2);
  await one.delete('k');
  await eventually('no value', async () => (await two.get('k')) === undefined);
});

test('a stampede loads once; what fails is not kept', async () => {
  const cache = open<number>('stampede');
  let loads = 0;
  const load = async () => {
    loads += 1;
    if (loads === 1) throw new Error('the model is away');
    return 42;
  };
  await expect(cache.remember('k', 60_000, load)).rejects.toThrow('the model is away');
  const all = await Promise.all(Array.from({ length: 100 }, () => cache.remember('k', 60_000, load)));
  expect(new Set(all)).toEqual(new Set([42]));
  expect(loads).toBe(2);
  expect(await open<number>('stampede').remember('k', 60_000, load)).toBe(42);
  expect(loads).toBe(2);
});

test('memory and values are bounded', async () => {
  const cache = open<string>('bounded', { localBytes: 10_000, valueBytes: 1_000, links: undefined });
  await cache.set('large', 'x'.repeat(1_001), 60_000);
  expect(await cache.get('large')).toBeUndefined();
  for (let n = 0; n < 100; n += 1) await cache.set(`k${n}`, 'x'.repeat(500), 60_000);
  const kept = await Promise.all(Array.from({ length: 100 }, (_, n) => cache.get(`k${n}`)));
  const count = kept.filter((value) => value !== undefined).length;
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThanOrEqual(10);
});

test('without Redis it serves from memory', async () => {
  const cache = open<string>('alone', { links: linksOf(false) });
  await cache.set('k', 'v', 60_000);
  expect(await cache.get('k')).toBe('v');
  expect(await open<string>('alone').get('k')).toBeUndefined();
});
