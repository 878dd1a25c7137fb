import { openOfflineModel } from '../../../../app/server/models/offline.ts';
import { type AnswerCache, cacheFirstAnswers } from '../../../../app/server/models/open.ts';
import { ModelError, type ModelMessage, type ModelProvider } from '../../../../app/server/models/provider.ts';
import { counted } from '../../../support/clients/asker.ts';

const user = (text: string): ModelMessage => ({ role: 'user', text });

async function listen(model: ModelProvider, messages: ModelMessage[], signal = new AbortController().signal) {
  const said: string[] = [];
  for await (const text of model.stream({ messages, signal })) said.push(text);
  return said;
}

test('the offline model says the same each time, word by word, and counts as far as it is asked to', async () => {
  const model = openOfflineModel({ paceMs: 0 });
  const said = await listen(model, [user('why?')]);
  expect(said.length).toBeGreaterThan(20);
  expect(said.join('')).toContain('“why?”');
  expect(await listen(model, [user('why?')])).toEqual(said);
  expect(
    (await listen(model, [user('why?'), { role: 'assistant', text: 'so' }, user('Count to 12')])).join(''),
  ).toBe(counted(12));
  expect(await listen(model, [user('count to 99,999,999')])).toHaveLength(10_000);
});

test('it stops when it is told to, in the middle of a pause', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const listening = listen(openOfflineModel({ paceMs: 3_600_000 }), [user('x')], stop.signal);
  stop.abort(reason);
  await expect(listening).rejects.toBe(reason);
});

/** A model that counts how often it was asked. */
function counting(fails = false) {
  const state = { asked: 0 };
  const model: ModelProvider = {
    name: 'test/counting',
    async *stream() {
      state.asked += 1;
      yield 'one ';
      if (fails) throw new ModelError('broken', 'in the middle');
      yield 'two';
    },
  };
  return { model, state };
}

function inMap(): { kept: Map<string, string>; cache: AnswerCache } {
  const kept = new Map<string, string>();
  return {
    kept,
    cache: { get: async (key) => kept.get(key), set: async (key, value) => void kept.set(key, value) },
  };
}

test('a first prompt is answered from the cache the second time; what has a conversation before it is not', async () => {
  const { model, state } = counting();
  const { kept, cache } = inMap();
  const cached = cacheFirstAnswers(model, cache);
  expect((await listen(cached, [user('hello')])).join('')).toBe('one two');
  expect((await listen(cached, [user('hello')])).join('')).toBe('one two');
  expect(state.asked).toBe(1);
  await listen(cached, [user('a'), { role: 'assistant', text: 'b' }, user('hello')]);
  await listen(cached, [user('hallo')]);
  expect(state.asked).toBe(3);
  expect([...kept.keys()].join()).not.toContain('hello');
});

test('half an answer is not kept', async () => {
  const half = counting(true);
  const { kept, cache } = inMap();
  await expect(listen(cacheFirstAnswers(half.model, cache), [user('x')])).rejects.toThrow('in the middle');
  expect(kept.size).toBe(0);
});
