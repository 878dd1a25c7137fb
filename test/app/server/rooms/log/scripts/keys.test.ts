import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { useRedis } from '../../../../../support/redis/link.ts';
import { eventually } from '../../../../../support/wait.ts';
import {
  append,
  changeReplicationId,
  keysOf,
  listen,
  newRoom,
  read,
  redis,
  withoutTimes,
} from './log-scripts.ts';

describe('a full server', () => {
  const full = useRedis(['--maxmemory-policy', 'noeviction']);
  let on: Redis;
  beforeAll(() => {
    on = full.redis;
  });

  test.each([
    ['with an id', 'a'],
    ['without one', undefined],
  ])('refuses an append %s whole: no id key, no entry, no meta, nothing published', async (_, id) => {
    const room = newRoom();
    const named = id === undefined ? {} : { id };
    await append(room, { epoch: 'E1', on });
    const before = await stateOf(room);
    const heard = await listen(room, on);
    await on.config('SET', 'maxmemory', '1');
    await expect(append(room, { ...named, on })).rejects.toThrow(/^OOM/);
    await expect(append(newRoom(), { ...named, on })).rejects.toThrow(/^OOM/);
    await on.config('SET', 'maxmemory', '0');
    expect(await stateOf(room)).toEqual(before);
    expect(await append(room, { ...named, on })).toEqual(['E1', 2, 0]);
    await eventually('the message', () => heard().length > 0);
    expect(heard()).toHaveLength(1);
  });

  test('can be joined, by whoever missed something too', async () => {
    const room = newRoom();
    const unused = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1', on });
    await on.config('SET', 'maxmemory', '1');
    const [kept, empty] = [await read(room, { since: ['E1', 1], on }), await read(unused, { on })];
    await on.config('SET', 'maxmemory', '0');
    expect(kept).toMatchObject({ whole: 1, offsets: [2, 3] });
    expect(empty).toMatchObject({ epoch: expect.stringMatching(/^~/), head: 0, whole: 1 });
  });

  async function stateOf(room: string) {
    const keys = (await on.keys('*')).sort();
    return { keys, meta: await on.hgetall(keysOf(room).meta), length: await on.xlen(keysOf(room).log) };
  }
});

describe('the window of ids', () => {
  test('a repeat within it is answered; behind it the id is a new message', async () => {
    const room = newRoom();
    const first = await append(room, { id: 'a', idWindowMs: 300 });
    expect(await append(room, { id: 'a', idWindowMs: 300 })).toEqual([first[0], 1, 1]);
    await eventually(
      'the window to end',
      async () => (await redis.exists(keysOf(room).id('ann', 'a'))) === 0,
    );
    expect(await append(room, { id: 'a', idWindowMs: 300 })).toEqual([first[0], 2, 0]);
  });

  test('a repeat does not extend it', async () => {
    const room = newRoom();
    await append(room, { id: 'a', idWindowMs: 60_000 });
    await delay(30);
    await append(room, { id: 'a', idWindowMs: 60_000 });
    expect(await redis.pttl(keysOf(room).id('ann', 'a'))).toBeLessThanOrEqual(59_970);
  });
});

describe('ages', () => {
  test('log, meta and id key each go away by themselves', async () => {
    const room = newRoom();
    await append(room, { id: 'a', maxAgeMs: 100_000, metaAgeMs: 500_000, idWindowMs: 50_000 });
    const { log, meta, id } = keysOf(room);
    await expectAge(log, 125_000);
    await expectAge(meta, 500_000);
    await expectAge(id('ann', 'a'), 50_000);
  });

  test('they are set anew once a quarter of the log age has gone by', async () => {
    const room = newRoom();
    const { log } = keysOf(room);
    await append(room, { maxAgeMs: 100_000 });
    await redis.pexpire(log, 1_000);
    await append(room, { maxAgeMs: 100_000 });
    expect(await redis.pttl(log)).toBeLessThanOrEqual(1_000);
    const aged = Number(await redis.hget(keysOf(room).meta, 'aged'));
    await redis.hset(keysOf(room).meta, 'aged', aged - 26_000);
    await append(room, { maxAgeMs: 100_000 });
    await expectAge(log, 125_000);
  });

  test('a log that went away with its age gets one again with its next entry', async () => {
    const room = newRoom();
    const { log, meta } = keysOf(room);
    await append(room, { maxAgeMs: 400 });
    await eventually('the log to go', async () => (await redis.exists(log)) === 0);
    expect(await redis.exists(meta)).toBe(1);
    expect((await append(room, { maxAgeMs: 400 }))[1]).toBe(2);
    expect(await redis.pttl(log)).not.toBe(-1);
  });

  test('reading keeps the meta of a room with messages', async () => {
    const room = newRoom();
    await append(room);
    await redis.pexpire(keysOf(room).meta, 1_000);
    await read(room);
    await expectAge(keysOf(room).meta, 700_000);
  });

  async function expectAge(key: string, age: number): Promise<void> {
    const left = await redis.pttl(key);
    expect(left).toBeLessThanOrEqual(age);
    expect(left).toBeGreaterThan(age - 20_000);
  }
});

describe('a foreign type at a key', () => {
  test('at the log: refused, and no id key answers for what was never written', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1' });
    await redis.del(keysOf(room).log);
    await redis.set(keysOf(room).log, 'not a stream');
    await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
    expect(await redis.exists(keysOf(room).id('ann', 'a'))).toBe(0);
    await redis.del(keysOf(room).log);
    expect(await append(room, { id: 'a' })).toEqual(['E1', 2, 0]);
  });

  test('at the log, after a failover: refused, and the epoch stays', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1' });
    await redis.set(keysOf(room).log, 'not a stream');
    await changeReplicationId();
    await expect(append(room, { epoch: 'E2', id: 'a' })).rejects.toThrow(/WRONGTYPE/);
    expect(withoutTimes(await redis.hget(keysOf(room).meta, 'epoch'))).toBe('E1');
  });

  test.each(['meta', 'log'] as const)(
    'at the %s of an unused room: an error, and nothing written',
    async (key) => {
      const room = newRoom();
      await redis.set(keysOf(room)[key], 'foreign');
      const before = await redis.keys(`*:chat/${room}`);
      await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
      expect(await redis.keys(`*:chat/${room}`)).toEqual(before);
    },
  );

  test('at the id key: an error, and nothing written', async () => {
    const room = newRoom();
    await redis.hset(keysOf(room).id('ann', 'a'), 'foreign', 1);
    await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
    expect(await redis.exists(keysOf(room).log)).toBe(0);
  });
});

test('what others have put into a log is no message, and ends nothing', async () => {
  const room = newRoom();
  const { log } = keysOf(room);
  await append(room, { epoch: 'E1' });
  for (let n = 2; n < 50; n += 1) await redis.xadd(log, `${n}-0`, 'foreign', 'x');
  expect(await append(room)).toEqual(['E1', 50, 0]);
  expect(await read(room, { since: ['E1', 0] })).toMatchObject({ offsets: [1, 50], whole: 0, lost: 48 });
  for (let n = 0; n < 20; n += 1) await append(room, { rest: `"body":"${'x'.repeat(70_000)}"}` });
  expect((await read(room, { since: ['E1', 69] })).offsets).toEqual([70]);
});
