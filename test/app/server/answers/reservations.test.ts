import type { Redis } from 'ioredis';
import { answerKeys } from '../../../../app/server/answers/keys.ts';
import { Reservations } from '../../../../app/server/answers/reservations.ts';
import { bucketOfTurn, defaultAnswerLimits, turnOf } from '../../../../app/server/answers/turn.ts';
import { bucketOf } from '../../../../app/server/redis/buckets.ts';
import { scriptText } from '../../../../app/server/redis/script.ts';
import { silent } from '../../../support/redis/link.ts';
import { redisKinds } from '../../../support/redis/redis-kinds.ts';

const scripts = new URL('../../../../app/server/answers/scripts/', `file://${__filename}`);
const long = 60_000;

describe.each(redisKinds)('reservations in %s', (_kind, use) => {
  const own = use();
  let redis: Redis;
  let reserved = '';
  let count = 0;

  beforeEach(() => {
    count += 1;
    reserved = answerKeys(`d${count}`, 'llm').reservedBy('ann');
    redis = own.at(reserved);
  });

  const reserve = (turn: string, most = 2) =>
    redis.eval(scriptText(new URL('reserve.lua', scripts)), 1, reserved, turn, most, long);

  test('so many turns, each once', async () => {
    const all = ['a', 'b', 'a', 'c', 'b'];
    const granted: unknown[] = [];
    for (const turn of all) granted.push(await reserve(turn));
    expect(granted).toEqual([1, 1, 1, 0, 1]);
    expect(await redis.pttl(reserved)).toBeGreaterThan(0);
  });

  test('what is asked for again lasts no longer; what nobody gave back ends by itself', async () => {
    await reserve('a');
    const until = await redis.zscore(reserved, 'a');
    await reserve('a');
    expect(await redis.zscore(reserved, 'a')).toBe(until);
    await reserve('b');
    await redis.zadd(reserved, Date.now() - 1_000, 'a');
    expect(await reserve('c')).toBe(1);
    expect((await redis.zrange(reserved, '0', '-1')).sort()).toEqual(['b', 'c']);
  });
});

test("while the subject's shard is away, each instance counts the answers that it makes itself", async () => {
  let running = 0;
  const reservations = new Reservations({
    links: { shardOf: () => undefined },
    keys: answerKeys('d', 'llm'),
    limits: { ...defaultAnswerLimits, runningOfSubject: 1 },
    log: silent,
    runningHere: () => running,
  });
  const turn = { turn: turnOf('llm', 'r', 'ann'), subject: 'ann' };
  expect(await reservations.reserve(turn)).toBe(true);
  running = 1;
  expect(await reservations.reserve(turn)).toBe(false);
  await reservations.giveBack(turn);
});

test("a turn names the bucket of its room, and nothing else is a turn's name", () => {
  const turn = turnOf('llm', 'r', 'ann', 'x');
  expect(turn).toBe(turnOf('llm', 'r', 'ann', 'x'));
  expect(bucketOfTurn(turn)).toBe(bucketOf('llm', 'r'));
  const hash = turn.slice(turn.indexOf('.') + 1);
  for (const foreign of ['', '.', hash, `.${hash}`, `home.${hash}`, `${turn}.`, `{x}.${hash}`, `${turn}\n`]) {
    expect([foreign, bucketOfTurn(foreign)]).toEqual([foreign, undefined]);
  }
});
