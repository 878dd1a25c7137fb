import { setTimeout as delay } from 'node:timers/promises';
import { environmentNames } from '../../app/names.ts';
import { Asker, counted } from '../support/clients/asker.ts';
import { describeInFull } from '../support/full-runs.ts';
import { TcpForwarder } from '../support/network/tcp-forwarder.ts';
import { startRedis, type TestRedis } from '../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../support/servers/service.ts';
import { stoppedAfterwards } from '../support/stopping.ts';
import { eventually } from '../support/wait.ts';

/** Answers of the built service: three instances, real Redis, and what happens to both in the middle of an answer. */

const keep = stoppedAfterwards();
const askers: Asker[] = [];
let redis: TestRedis;
let instances: TestInstance[];

beforeAll(async () => {
  redis = await keep(startRedis());
  instances = await Promise.all(['a', 'b', 'c'].map(start));
});
afterAll(async () => {
  for (const asker of askers) asker.close();
  await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
});

function start(id: string): Promise<TestInstance> {
  return startInstance(id, { [environmentNames.redisUrl]: redis.url, [environmentNames.logLevel]: 'warn' });
}

/** @param client two that say the same are one user. @default a user of its own */
async function join(url: string, room: string, client?: string): Promise<Asker> {
  const asker = await Asker.join(url, room, client);
  askers.push(asker);
  return asker;
}

const portOf = ({ url }: TestInstance) => Number(new URL(url).port);
const at = (index: number) => instances[index] as TestInstance;

const begun = (asker: Asker, turn: string) =>
  eventually('the answer to begin', () => asker.tokensOf(turn).length > 3);
const ended = (all: readonly Asker[], turn: string) =>
  eventually('everyone to have the end', () => all.every((asker) => asker.finalsOf(turn).length > 0));

/** What a client must have seen of a turn in the end: its tokens once and in order, and one end. */
function exact(asker: Asker, turn: string) {
  const tokens = asker.tokensOf(turn);
  return {
    isInOrder: tokens.every(({ seq }, index) => seq === index + 1),
    text: asker.saidIn(turn),
    finals: asker.finalsOf(turn).map(({ final, text }) => ({ final, text })),
    losses: asker.losses,
  };
}

const whole = (text: string, final = 'done') => ({
  isInOrder: true,
  text,
  finals: [{ final, text }],
  losses: [],
});

describeInFull('faults', 'answers on several instances', () => {
  test('a client that moves to another instance in the middle sees every token once', async () => {
    const targets = [at(0)];
    const front = await TcpForwarder.open(() => targets.map(portOf));
    const asker = await join(`http://127.0.0.1:${front.port}`, 'moving');
    const turn = await asker.ask('count to 80');
    for (const next of [at(1), at(2)]) {
      const seen = asker.tokensOf(turn).length;
      await eventually('more tokens', () => asker.tokensOf(turn).length > seen + 3);
      targets.splice(0, 1, next);
      front.cut();
    }
    await ended([asker], turn);
    expect(exact(asker, turn)).toEqual(whole(counted(80)));
    await eventually('it to be elsewhere', () => asker.hub.instance === 'c');
    await front.close();
  });

  test('asked on two instances with one id it is one answer; who did not make it cancels it', async () => {
    const [one, two] = await Promise.all(
      [0, 1].map((index) => join(at(index).url, 'twice', 'the same user')),
    );
    const [turn, same] = await Promise.all(
      [one, two].map((asker) => (asker as Asker).ask('count to 5000', 'x')),
    );
    expect(same).toBe(turn);
    const other = await join(at(2).url, 'twice', 'the same user');
    const all = [one, two, other] as Asker[];
    await begun(other, turn as string);
    await other.cancel(turn as string);
    await ended(all, turn as string);
    const tokens = one?.saidIn(turn as string) ?? '';
    for (const asker of [one, two] as Asker[]) {
      expect(exact(asker, turn as string)).toEqual(whole(tokens, 'cancelled'));
      expect(asker.bodies.filter((body) => 'prompt' in body)).toHaveLength(1);
    }
    expect(counted(5000).startsWith(tokens)).toBe(true);
    // The model has stopped as well: nothing follows the end.
    const heard = other.bodies.length;
    await delay(500);
    expect([other.bodies.length, other.finalsOf(turn as string).length]).toEqual([heard, 1]);
  });

  /** What is asked on two instances while Redis stalls, by one user with one id, is answered once when it is back. */
  test('Redis stalls for 8 s: no answer is interrupted, and none says anything twice', async () => {
    const all = await Promise.all([0, 1, 2].map((index) => join(at(index).url, `stall ${index}`)));
    const repeating = await Promise.all([0, 1].map((index) => join(at(index).url, 'stalled', 'one user')));
    const turns = await Promise.all(all.map((asker) => asker.ask('count to 100')));
    await Promise.all(all.map((asker, index) => begun(asker, turns[index] as string)));
    redis.process.kill('SIGSTOP');
    const asked = Promise.all(repeating.map((asker) => asker.ask('count to 20', 'x')));
    await delay(8_000);
    redis.process.kill('SIGCONT');
    await Promise.all(all.map((asker, index) => ended([asker], turns[index] as string)));
    for (const [index, asker] of all.entries()) {
      expect(exact(asker, turns[index] as string)).toEqual(whole(counted(100)));
    }
    const [turn, same] = (await asked) as [string, string];
    expect(same).toBe(turn);
    await ended(repeating, turn);
    for (const asker of repeating) {
      expect(exact(asker, turn)).toEqual(whole(counted(20)));
      expect(asker.bodies.filter((body) => 'prompt' in body)).toHaveLength(1);
    }
  });
});

test('SIGKILL: what the instance was answering ends once for everyone, the rest goes on', async () => {
  const doomed = at(0);
  const victim = await join(doomed.url, 'killed');
  const readers = await Promise.all([1, 2].map((index) => join(at(index).url, 'killed')));
  const lost = await victim.ask('count to 5000');
  const kept = await (readers[0] as Asker).ask('count to 280');
  await begun(readers[0] as Asker, lost);
  await begun(readers[0] as Asker, kept);
  await doomed.kill('SIGKILL');
  await ended(readers, lost);
  await ended(readers, kept);
  const text = (readers[0] as Asker).saidIn(lost);
  expect(counted(5000).startsWith(text)).toBe(true);
  for (const reader of readers) {
    expect(exact(reader, lost)).toEqual(whole(text, 'interrupted'));
    expect(exact(reader, kept)).toEqual(whole(counted(280)));
  }
});

test('SIGTERM: an instance that leaves says itself what it leaves unfinished', async () => {
  const leaving = at(1);
  const reader = await join(at(2).url, 'leaving');
  const asker = await join(leaving.url, 'leaving');
  const turn = await asker.ask('count to 5000');
  await begun(reader, turn);
  leaving.process.kill('SIGTERM');
  await ended([reader], turn);
  expect(await leaving.ended()).toBe(0);
  expect(reader.finalsOf(turn)).toMatchObject([
    { final: 'interrupted', reason: 'the instance that answered is leaving' },
  ]);
  expect(reader.finalsOf(turn)[0]?.text.startsWith(reader.saidIn(turn))).toBe(true);
});
