import type { Socket } from 'socket.io-client';
import { answerKeys } from '../../../../app/server/answers/keys.ts';
import type { ModelProvider, ModelRequest } from '../../../../app/server/models/provider.ts';
import { ModelError } from '../../../../app/server/models/provider.ts';
import { Asker, counted } from '../../../support/clients/asker.ts';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { describeOnEachRedis } from '../../../support/redis/redis-kinds.ts';
import {
  type AnswersInstance,
  type AnswersInstanceOptions,
  startAnswers,
} from '../../../support/servers/answers-instance.ts';
import { eventually } from '../../../support/wait.ts';

const keys = answerKeys('test', 'llm');
let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const instances: AnswersInstance[] = [];
const askers: Asker[] = [];
const forwarders: TcpForwarder[] = [];
afterEach(async () => {
  for (const asker of askers.splice(0)) asker.close();
  await Promise.all(instances.splice(0).map((instance) => instance.stop()));
  await Promise.all(forwarders.splice(0).map((forwarder) => forwarder.close()));
});

let count = 0;
/** An instance with what it needs, and a client in a room of its own. */
async function open(options: Partial<AnswersInstanceOptions> = {}, room = newRoom()) {
  const instance = await startAnswers({ id: `i${instances.length + 1}`, ...options });
  instances.push(instance);
  return { instance, room, asker: await join(instance, room) };
}

async function join({ url }: AnswersInstance, room: string): Promise<Asker> {
  const asker = await Asker.join(url, room);
  askers.push(asker);
  return asker;
}

function newRoom(): string {
  count += 1;
  return `room ${count} {of} "answers"`;
}

const ended = (asker: Asker, turn: string) =>
  eventually('the answer to end', () => asker.finalsOf(turn).length > 0);

/** A model whose words the test says. */
function scripted(words: readonly string[], end: () => Promise<void> = async () => undefined) {
  const requests: ModelRequest[] = [];
  const provider: ModelProvider = {
    name: 'test/scripted',
    async *stream(request) {
      requests.push(request);
      yield* words;
      await end();
    },
  };
  return { provider, requests };
}

const untilAborted = (requests: readonly ModelRequest[]) => () =>
  new Promise<void>((_, reject) => {
    const { signal } = requests.at(-1) as ModelRequest;
    signal.addEventListener('abort', () => reject(signal.reason));
  });

describeOnEachRedis('answers over Redis', (own) => {
  suite(() => ({ redis: own.url }));

  test('asked on two instances with one id, it is one answer, which either cancels', async () => {
    const { asker, room } = await open({ redis: own.url });
    const { instance } = await open({ redis: own.url }, room);
    const subject = 'ann';
    const [one, two] = instances as [AnswersInstance, AnswersInstance];
    const request = { room, id: 'a', prompt: 'count to 5000' };
    const [turn, other] = await Promise.all([
      one.answers.ask(subject, request),
      two.answers.ask(subject, request),
    ]);
    expect(other).toEqual(turn);
    await eventually('some tokens', () => asker.tokensOf(turn.turn).length > 2);
    await instance.answers.cancel(subject, turn.turn);
    await one.answers.cancel(subject, turn.turn);
    await ended(asker, turn.turn);
    expect(asker.bodies.filter((body) => 'prompt' in body)).toHaveLength(1);
    expect(asker.finalsOf(turn.turn)).toMatchObject([{ final: 'cancelled', text: asker.saidIn(turn.turn) }]);
  });

  test('what a dead instance was answering is ended once, with the text so far; what lives goes on', async () => {
    const { room, instance: doomed } = await open({ redis: own.url });
    const { asker, instance: living } = await open({ redis: own.url }, room);
    await open({ redis: own.url }, room);
    const lost = await doomed.answers.ask('ann', { room, prompt: 'count to 5000' });
    const kept = await living.answers.ask('ben', { room, prompt: 'count to 500' });
    await eventually('some tokens', () => asker.tokensOf(lost.turn).length > 2);
    await doomed.cutOff();
    await ended(asker, lost.turn);
    await ended(asker, kept.turn);
    expect(asker.finalsOf(lost.turn)).toMatchObject([
      { final: 'interrupted', text: asker.saidIn(lost.turn) },
    ]);
    expect(asker.finalsOf(kept.turn)).toMatchObject([{ final: 'done', text: counted(500) }]);
    expect(asker.saidIn(kept.turn)).toBe(counted(500));
  });

  test('a user has so many answers under way, over all rooms and instances, and what is known comes first', async () => {
    const { provider, requests } = scripted([], () => untilAborted(requests)());
    const options = { redis: own.url, provider, limits: { runningOfSubject: 2 } };
    const [{ instance: one }, { instance: two }] = [await open(options), await open(options)];
    const ask = (instance: AnswersInstance, room: string, id?: string) =>
      instance.answers.ask('cal', { room, prompt: 'x', ...(id && { id }) });
    const first = await ask(one, 'room one', 'a');
    const second = await ask(two, 'room two', 'b');
    await expect(ask(one, 'room three')).rejects.toThrow('you wait for 2 answers already');
    expect([await ask(two, 'room one', 'a'), await ask(one, 'room two', 'b')]).toEqual([first, second]);
    await two.answers.cancel('cal', first.turn);
    await ask(two, 'room three', 'c');
    await expect(ask(one, 'room four')).rejects.toThrow('you wait for 2');
    // A repeat of one that has ended takes nobody's place.
    expect(await ask(one, 'room one', 'a')).toEqual(first);
    await one.answers.cancel('cal', second.turn);
    await ask(one, 'room four');
  });

  test('what a dead instance was answering counts no more for who asked', async () => {
    const { provider, requests } = scripted(['some'], () => untilAborted(requests)());
    const options = { redis: own.url, provider, limits: { runningOfSubject: 1 } };
    const { instance: doomed, room } = await open(options);
    const { asker, instance } = await open(options, room);
    const { turn } = await doomed.answers.ask('eve', { room, prompt: 'x' });
    await eventually('some tokens', () => asker.saidIn(turn) !== '');
    await expect(instance.answers.ask('eve', { room, prompt: 'x' })).rejects.toThrow('you wait for 1');
    await doomed.cutOff();
    await ended(asker, turn);
    await eventually('one more', async () =>
      instance.answers.ask('eve', { room, prompt: 'x' }).then(
        () => true,
        () => false,
      ),
    );
  });
});

describe('answers from memory', () => suite(() => ({})));

function suite(where: () => Partial<AnswersInstanceOptions>) {
  test('the question, its tokens in order and coalesced, and the whole text at the end', async () => {
    const { asker, instance, room } = await open(where());
    const reader = await join(instance, room);
    const turn = await asker.ask('please count to 60');
    await ended(reader, turn);
    expect(reader.bodies[0]).toMatchObject({ turn, seq: 0, prompt: 'please count to 60' });
    expect(reader.tokensOf(turn).map(({ seq }) => seq)).toEqual(
      reader.tokensOf(turn).map((_, index) => index + 1),
    );
    expect(reader.saidIn(turn)).toBe(counted(60));
    expect(reader.tokensOf(turn).length).toBeLessThan(60);
    expect(reader.finalsOf(turn)).toEqual([
      { turn, seq: reader.tokensOf(turn).length + 1, final: 'done', text: counted(60) },
    ]);
    expect(reader.answers.all).toMatchObject([{ turn, text: counted(60), state: 'done', isComplete: true }]);
  });

  test('quotes, line ends and halves of characters come through, in tokens and in the end', async () => {
    const words = ['"\\\n\u2028 ', '\ud83d', '\ude80 ', '</script>\u0000'];
    const { asker } = await open({ ...where(), ...scripted(words), limits: { chunkEveryMs: 0, chunk: 1 } });
    const turn = await asker.ask('x');
    await ended(asker, turn);
    expect(asker.saidIn(turn)).toBe(words.join(''));
    expect(asker.finalsOf(turn)[0]?.text).toBe(words.join(''));
  });

  test('the model is given the turns before, whoever asked, as far as they fit', async () => {
    const { provider, requests } = scripted(['fine']);
    const { asker, instance, room } = await open({ ...where(), provider, limits: { turnsRemembered: 2 } });
    const other = await join(instance, room);
    for (const [who, prompt] of [
      [asker, 'one'],
      [other, 'two'],
      [asker, 'three'],
      [other, 'four'],
    ] as const) {
      await ended(who, await who.ask(prompt));
    }
    const user = (text: string) => ({ role: 'user', text });
    const fine = { role: 'assistant', text: 'fine' };
    expect(requests.at(-1)?.messages).toEqual([user('two'), fine, user('three'), fine, user('four')]);
  });

  test('asked twice with one id it is one turn; another asker may use the same id', async () => {
    const { provider, requests } = scripted(['yes']);
    const { asker, instance, room } = await open({ ...where(), provider });
    const other = await join(instance, room);
    const turns = await Promise.all([
      asker.ask('same?', 'a'),
      asker.ask('same?', 'a'),
      other.ask('same?', 'a'),
    ]);
    await ended(asker, turns[0] as string);
    await ended(asker, turns[2] as string);
    turns.push(await asker.ask('same?', 'a'));
    expect(new Set(turns).size).toBe(2);
    expect([requests.length, asker.bodies.filter((body) => 'prompt' in body).length]).toEqual([2, 2]);
  });

  test('cancelled by its asker alone; the model is stopped, the end said once, with the text so far', async () => {
    const { provider, requests } = scripted(['some'], () => untilAborted(requests)());
    const { asker, instance, room } = await open({ ...where(), provider });
    const other = await join(instance, room);
    const turn = await asker.ask('x');
    await eventually('the first token', () => other.saidIn(turn) === 'some');
    await expect(other.cancel(turn)).rejects.toMatchObject({ code: 'forbidden' });
    for (const unknown of ['no such turn', `${turn}x`, `zzz.${turn.split('.')[1]}`, turn.slice(0, -1)]) {
      await expect(asker.cancel(unknown)).rejects.toMatchObject({ code: 'bad_request' });
    }
    await Promise.all([asker.cancel(turn), asker.cancel(turn)]);
    await ended(other, turn);
    await eventually('the model to stop', () => requests[0]?.signal.aborted === true);
    await asker.cancel(turn);
    await ended(
      asker,
      await asker.ask('cancelled as well').then((next) => asker.cancel(next).then(() => next)),
    );
    expect(other.finalsOf(turn)).toEqual([{ turn, seq: 2, final: 'cancelled', text: 'some' }]);
  });

  test('a room and a subject have so many answers under way at once, and one more when one has ended', async () => {
    const { provider, requests } = scripted([], () => untilAborted(requests)());
    const limits = { running: 2, runningOfSubject: 1 };
    const { asker, instance, room } = await open({ ...where(), provider, limits });
    const [other, third] = [await join(instance, room), await join(instance, room)];
    const send = (who: Asker, prompt = 'x') =>
      (who.hub.socket as unknown as Socket).emitWithAck('ask', { room, prompt });
    const turn = await asker.ask('x');
    expect(await send(asker)).toMatchObject({
      error: { code: 'refused', message: expect.stringMatching(/^you wait for 1 answers/) },
    });
    expect(await send(other)).toMatchObject({ ok: true });
    expect(await send(third)).toMatchObject({
      error: { code: 'refused', message: expect.stringMatching(/^this room waits for 2/) },
    });
    await asker.cancel(turn);
    expect(await send(third)).toMatchObject({ ok: true });
    expect(await send(third, 'x'.repeat(8_001))).toMatchObject({ error: { code: 'bad_request' } });
  });

  test('a model that fails, takes too long or says too much: each is an end with a reason', async () => {
    const failing = scripted(['begun '], async () => {
      throw new ModelError('busy', 'the details');
    });
    const one = await open({ ...where(), provider: failing.provider });
    const failed = await one.asker.ask('x');
    await ended(one.asker, failed);
    expect(one.asker.finalsOf(failed)).toMatchObject([
      { final: 'failed', text: 'begun ', reason: 'the model is busy: ask again later' },
    ]);
    const slow = scripted(['begun'], () => untilAborted(slow.requests)());
    const two = await open({ ...where(), provider: slow.provider, limits: { timeMs: 300 } });
    const late = await two.asker.ask('x');
    await ended(two.asker, late);
    expect(two.asker.finalsOf(late)).toMatchObject([
      { final: 'failed', reason: expect.stringMatching(/longer than 0.3 s/), text: 'begun' },
    ]);
    const three = await open({ ...where(), limits: { answer: 20 } });
    const long = await three.asker.ask('count to 1000');
    await ended(three.asker, long);
    expect(three.asker.finalsOf(long)).toMatchObject([
      { final: 'done', text: counted(1000).slice(0, 20), reason: expect.stringMatching(/at most 20/) },
    ]);
  });

  test('an instance that leaves says what it leaves unfinished, and takes no more', async () => {
    const { asker, instance } = await open(where());
    const turn = await asker.ask('count to 5000');
    await eventually('some tokens', () => asker.tokensOf(turn).length > 2);
    await instance.answers.close();
    await ended(asker, turn);
    const [final] = asker.finalsOf(turn);
    expect(final).toMatchObject({ final: 'interrupted' });
    expect(counted(5000).startsWith(final?.text as string)).toBe(true);
    expect(final?.text.startsWith(asker.saidIn(turn))).toBe(true);
    await expect(instance.answers.ask('ann', { room: 'r', prompt: 'x' })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
}

test('an ask that was written without an answer is made by its instance, though it is repeated elsewhere', async () => {
  const between = await TcpForwarder.open(() => [redis.port]);
  forwarders.push(between);
  const { instance: cut } = await open({ redis: `redis://127.0.0.1:${between.port}` });
  const { asker, instance: other, room } = await open({ redis: redis.url });
  const request = { room, id: 'a', prompt: 'count to 20' };
  // Redis knows the scripts then: a server that does not would have to be asked twice.
  const known = await other.answers.ask('ann', { room, prompt: 'count to 1' });
  await ended(asker, known.turn);
  const before = asker.bodies.length;
  let isSwallowed = false;
  const newRoom = {
    made: () => undefined,
    // Read each time that the question is about to be sent.
    get untilMs() {
      if (!isSwallowed) between.swallow('toClient');
      isSwallowed = true;
      return undefined;
    },
  };
  const asked = cut.answers.ask('ann', request, { remembers: false, newRoom });
  asked.catch(() => undefined);
  await eventually('the question', () => asker.bodies.length > before);
  between.cut();
  await expect(asked).rejects.toMatchObject({ code: 'uncertain' });
  const { turn } = await other.answers.ask('ann', request);
  await ended(asker, turn);
  expect([asker.saidIn(turn), asker.finalsOf(turn).length]).toEqual([counted(20), 1]);
});

test('a full Redis refuses asks and leaves nothing of them; what is under way still ends', async () => {
  const full = await startRedis();
  const { asker, instance, room } = await open({ redis: full.url });
  const turn = await asker.ask('count to 5000');
  await eventually('some tokens', () => asker.tokensOf(turn).length > 2);
  const limitMemory = (bytes: number) =>
    onRedis(full.port, (redis) => redis.config('SET', 'maxmemory', bytes));
  await limitMemory(1);
  const request = { room, id: 'a', prompt: 'count to 3' };
  await expect(instance.answers.ask('ben', request)).rejects.toMatchObject({ code: 'refused' });
  await asker.cancel(turn);
  await ended(asker, turn);
  await limitMemory(0);
  const later = await instance.answers.ask('ben', request);
  await ended(asker, later.turn);
  expect(asker.finalsOf(later.turn)).toMatchObject([{ final: 'done', text: counted(3) }]);
  expect(asker.finalsOf(turn)).toMatchObject([{ final: 'cancelled', text: asker.saidIn(turn) }]);
  await instances.pop()?.stop();
  await full.stop();
});

test('a turn that Redis lost is ended once, by its owner, with all that was said', async () => {
  const { asker } = await open({ redis: redis.url });
  const turn = await asker.ask('count to 5000');
  await eventually('some tokens', () => asker.tokensOf(turn).length > 2);
  await onRedis(redis.port, (client) => client.del(keys.turn(turn), keys.text(turn)));
  await ended(asker, turn);
  const [final, ...others] = asker.finalsOf(turn);
  expect([final?.final, others]).toEqual(['interrupted', []]);
  expect(final?.text.startsWith(asker.saidIn(turn))).toBe(true);
});

test('a refused ask gives back what it had reserved', async () => {
  const { provider, requests } = scripted([], () => untilAborted(requests)());
  const options = { redis: redis.url, provider, limits: { running: 1, runningOfSubject: 2 } };
  const { instance } = await open(options);
  const ask = (room: string) => instance.answers.ask('dee', { room, prompt: 'x' });
  await ask('full');
  for (let tries = 0; tries < 3; tries += 1) {
    await expect(ask('full')).rejects.toThrow('this room waits for 1 answers already');
  }
  await ask('another');
});

test('every key ages', async () => {
  const { asker, instance, room } = await open({ redis: redis.url });
  await ended(asker, await asker.ask('count to 3'));
  await instance.answers.ask('ann', { room, prompt: 'count to 5000' });
  await eventually('some tokens', () => asker.bodies.length > 8);
  const ages = await onRedis(redis.port, async (client) => {
    const keys = await client.keys('test:*:answers:*');
    return Promise.all(keys.map(async (key) => [key, await client.pttl(key)] as const));
  });
  expect(ages.length).toBeGreaterThan(6);
  expect(ages.filter(([, ms]) => ms < 0 || ms > 1_800_000)).toEqual([]);
});
