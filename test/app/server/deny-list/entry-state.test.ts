import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type EntryState, isOver, merge, unsaid } from '../../../../app/server/deny-list/entries.ts';
import { denyListKeys } from '../../../../app/server/deny-list/keys.ts';
import { NamedScript } from '../../../../app/server/redis/script.ts';
import { seededRandom } from '../../../support/random.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const { below: upTo } = seededRandom(seed);

/** What an instance can hold: at few moments, so that they meet. */
function anyState(): EntryState {
  const [deniedAt, liftedAt] = [upTo(6), upTo(6)];
  return {
    ...(deniedAt > liftedAt
      ? { deniedAt, deniedUntil: minutes(1 + upTo(5)) }
      : { deniedAt: 0, deniedUntil: 0 }),
    liftedAt,
    liftedUntil: liftedAt === 0 ? 0 : minutes(1 + upTo(5)),
  };
}

/** Longer apart than clocks drift. */
const minutes = (count: number) => count * 600_000;

test(`states can be merged in any order and again and again (SEED=${seed})`, () => {
  for (let times = 0; times < 500; times += 1) {
    const [a, b, c] = [anyState(), anyState(), anyState()];
    expect(merge(a, b)).toEqual(merge(b, a));
    expect(merge(a, a)).toEqual(a);
    expect(merge(a, unsaid)).toEqual(a);
    const all = merge(merge(a, b), c);
    expect(merge(all, b)).toEqual(all);
    // Nothing that was said last is undone.
    const newestLift = Math.max(a.liftedAt, b.liftedAt, c.liftedAt);
    const denials = [a, b, c].filter(({ deniedAt }) => deniedAt > newestLift);
    if (denials.length === 0) expect(all.deniedUntil).toBe(0);
    expect(all.deniedUntil).toBeGreaterThanOrEqual(
      Math.max(0, ...denials.map(({ deniedUntil }) => deniedUntil)),
    );
  }
});

describe('in Redis', () => {
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = await connectRedis(server.port);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const change = new NamedScript(
    { keys: ['states', 'ends', 'version'], args: ['channel', 'highestStamp', 'mostEntries'] },
    new URL('../../../../app/server/deny-list/scripts/change.lua', import.meta.url),
  );
  const keys = denyListKeys('here');
  const run = (
    groups: readonly (string | number)[],
    highestStamp = 0,
    mostEntries = 100_000,
  ): Promise<unknown> =>
    change.run(redis, keys, { channel: keys.channel, highestStamp, mostEntries }, groups);

  test(`the script merges as instances do (SEED=${seed})`, async () => {
    for (let times = 0; times < 500; times += 1) {
      const entry = randomUUID();
      const states = Array.from({ length: 1 + upTo(4) }, anyState);
      let expected = unsaid;
      let reply: unknown;
      for (const state of states) {
        expected = merge(expected, state);
        reply = await run([entry, state.deniedAt, state.deniedUntil, state.liftedAt, state.liftedUntil]);
      }
      const [now, text] = reply as [string, string];
      const [deniedAt, deniedUntil, liftedAt, liftedUntil] = text.split(':').map(Number) as [
        number,
        number,
        number,
        number,
      ];
      expect([deniedAt, liftedAt]).toEqual([expected.deniedAt, expected.liftedAt]);
      // What is left, in whole minutes: the script has a clock of its own.
      const left = (until: number) => (until === 0 ? 0 : Math.round((until - Number(now)) / 60_000));
      expect(left(deniedUntil)).toBe(expected.deniedUntil / 60_000);
      // A lift also waits for what was denied there before.
      expect(left(liftedUntil)).toBeGreaterThanOrEqual(expected.liftedUntil / 60_000);
    }
  });

  test('what is said now is newer than all that anyone knows, whatever clock Redis has', async () => {
    const future = Date.now() + 3_600_000_000;
    await run(['old', future, 1_000_000, 0, 0]);
    const [, lifted] = (await run(['old', 0, 0, 'new', 1_000], future)) as string[];
    expect(lifted).toMatch(/^0:0:[1-9]/);
    const [, again] = (await run(['old', 'new', 1_000, 0, 0])) as string[];
    const [deniedAt, , liftedAt] = (again as string).split(':').map(Number) as number[];
    expect(deniedAt).toBeGreaterThan(liftedAt as number);
    expect(liftedAt).toBeGreaterThan(future);
  });

  test('a full list takes no more, but lets go and takes back', async () => {
    await redis.flushall();
    for (const entry of ['a', 'b']) await run([entry, 'new', 60_000, 0, 0], 0, 2);
    expect(await run(['c', 'new', 60_000, 0, 0], 0, 2)).toBe(-1);
    expect(await run(['a', 'new', 90_000, 0, 0], 0, 2)).not.toBe(-1);
    expect(await run(['c', 5, 60_000, 0, 0], 0, 2)).not.toBe(-1);
    expect(await run(['a', 0, 0, 'new', 60_000], 0, 2)).not.toBe(-1);
  });

  test('what is over leaves no trace', async () => {
    await redis.flushall();
    await run(['brief', 'new', 1, 0, 0]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await run(['other', 'new', 60_000, 0, 0]);
    expect(await redis.hkeys(keys.states)).toEqual(['other']);
    expect(await redis.zrange(keys.ends, '0', '-1')).toEqual(['other']);
  });
});

test('a state is over when nobody can hold anything of it', () => {
  expect(isOver({ deniedAt: 1, deniedUntil: 10, liftedAt: 0, liftedUntil: 0 }, 10)).toBe(true);
  expect(isOver({ deniedAt: 0, deniedUntil: 0, liftedAt: 2, liftedUntil: 11 }, 10)).toBe(false);
});
