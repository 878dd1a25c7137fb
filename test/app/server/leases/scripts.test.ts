import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { leaseKeys } from '../../../../app/server/leases/redis-leases.ts';
import { scriptText } from '../../../../app/server/redis/script.ts';
import { redisKinds } from '../../../support/redis/redis-kinds.ts';

const scripts = new URL('../../../../app/server/leases/scripts/', `file://${__filename}`);
const script = (name: string) => scriptText(new URL(name, scripts));

const long = 60_000;
let deployment = 0;

beforeEach(() => {
  deployment += 1;
});

const keys = () => leaseKeys(`d${deployment}`);

describe.each(redisKinds)('leases in %s', (_kind, use) => {
  const own = use();
  let redis: Redis;

  beforeAll(() => {
    redis = own.at(keys().owners);
  });

  /** Without a quiet time: the first beat would open one. */
  async function beat(
    owner: string,
    times: { lease?: number; gap?: number; quiet?: number; most?: number; mayBeHeld?: boolean } = {},
  ) {
    const { lease = long, gap = long, quiet = 0, most = 8, mayBeHeld = false } = times;
    const held = mayBeHeld ? 1 : 0;
    const all = [keys().owners, keys().dead, keys().beat];
    return redis.eval(script('beat.lua'), 3, ...all, owner, held, lease, gap, quiet, long, most, long);
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

    test('a name that others have ended is never held again, whether or not it is handled by now', async () => {
      await beat('late', { lease: 1 });
      await delay(20);
      expect(await beat('a')).toEqual(['taken', 'late']);
      expect(await beat('late', { mayBeHeld: true })).toEqual(['lost']);
      await redis.zrem(keys().dead, 'late');
      expect(await beat('late', { mayBeHeld: true, most: 0 })).toEqual(['lost']);
      expect(await redis.zscore(keys().owners, 'late')).toBeNull();
      // Whoever comes next takes back what may have been written since.
      expect(await beat('a', { mayBeHeld: true })).toEqual(['held', 'late']);
    });

    test('one that Redis has lost is handed out as a dead one', async () => {
      expect(await beat('lost', { mayBeHeld: true, most: 0 })).toEqual(['lost']);
      expect(await beat('lost.1')).toEqual(['taken', 'lost']);
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
});
