import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { leaseKeys } from '../../../../app/server/leases/redis-leases.ts';
import { scriptText } from '../../../../app/server/redis/script.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';

const scripts = new URL('../../../../app/server/leases/scripts/', `file://${__filename}`);
const script = (name: string) => scriptText(new URL(name, scripts));

let server: TestRedis;
let redis: Redis;
let deployment = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

beforeEach(() => {
  deployment += 1;
});

const keys = () => leaseKeys(`d${deployment}`);
const long = 60_000;

/** Without a quiet time: the first beat would open one. */
async function beat(
  owner: string,
  times: { lease?: number; gap?: number; quiet?: number; most?: number } = {},
) {
  const { lease = long, gap = long, quiet = 0, most = 8 } = times;
  const all = [keys().owners, keys().dead, keys().beat];
  return redis.eval(script('beat.lua'), 3, ...all, owner, lease, gap, quiet, long, most, long);
}

describe('beat.lua', () => {
  test('takes a lease, then holds it', async () => {
    expect([await beat('a'), await beat('a'), await beat('b')]).toEqual([['taken'], ['held'], ['taken']]);
  });

  test('two sweepers at once: each dead owner is handed out to one of them', async () => {
    const dying = Array.from({ length: 10 }, (_, index) => `dying ${index}`);
    for (const owner of dying) await beat(owner, { lease: 1, most: 0 });
    await delay(20);
    const handed = await Promise.all([beat('a'), beat('b'), beat('a'), beat('b')]);
    expect(handed.flatMap((answer) => (answer as string[]).slice(1)).sort()).toEqual(dying);
  });

  test('one that is handled takes no lease before that is done', async () => {
    await beat('late', { lease: 1 });
    await delay(20);
    expect(await beat('a')).toEqual(['taken', 'late']);
    expect(await beat('late')).toEqual(['dead']);
    await redis.zrem(keys().dead, 'late');
    expect(await beat('late')).toEqual(['taken']);
  });

  test('after a gap between the beats of all, nobody is swept for a while', async () => {
    await beat('silent', { lease: 50 });
    await delay(200);
    expect(await beat('a', { gap: 100, quiet: long })).toEqual(['taken']);
    expect(await beat('a')).toEqual(['held']);
    await redis.hset(keys().beat, 'quiet', 0);
    expect(await beat('a')).toEqual(['held', 'silent']);
  });

  test('a clock that goes back is a gap', async () => {
    await beat('silent', { lease: 1 });
    await redis.hset(keys().beat, 'last', Date.now() + 3_600_000);
    await delay(20);
    expect(await beat('a', { quiet: long })).toEqual(['taken']);
  });

  test('whoever takes none is given none', async () => {
    await beat('silent', { lease: 1 });
    await delay(20);
    expect(await beat('a', { most: 0 })).toEqual(['taken']);
    expect(await redis.zcard(keys().dead)).toBe(0);
  });

  test('every key has an age', async () => {
    await beat('silent', { lease: 1 });
    await delay(20);
    await beat('a');
    for (const key of Object.values(keys())) expect(await redis.pttl(key)).toBeGreaterThan(0);
  });
});

test('give-back.lua: the lease is handed out with the next beat', async () => {
  await beat('leaving');
  await redis.eval(script('give-back.lua'), 2, keys().owners, keys().dead, 'leaving', long);
  expect(await beat('a')).toEqual(['taken', 'leaving']);
});
