import { coalesce } from '../../../../app/server/answers/coalesce.ts';
import { eventually } from '../../../support/wait.ts';

/** A source that the test feeds by hand. */
function feed() {
  const waiting: string[] = [];
  let finish: ((error?: Error) => void) | undefined;
  const ended = new Promise<Error | undefined>((resolve) => {
    finish = resolve;
  });
  async function* source() {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift() as string;
      const end = await Promise.race([
        ended.then((error) => ({ error })),
        new Promise((go) => setTimeout(go, 5)),
      ]);
      if (!end || waiting.length > 0) continue;
      const { error } = end as { error: Error | undefined };
      if (error) throw error;
      return;
    }
  }
  return {
    source: source(),
    say: (...texts: string[]) => void waiting.push(...texts),
    finish: (e?: Error) => finish?.(e),
    waiting,
  };
}

function options(overrides: Partial<Parameters<typeof coalesce>[1]> = {}) {
  return { everyMs: 0, most: 1_000, signal: new AbortController().signal, ...overrides };
}

test('what comes while a chunk is taken care of is one chunk, in order, and no longer than allowed', async () => {
  const { source, say, finish, waiting } = feed();
  const chunks = coalesce(source, options({ most: 6 }));
  say('first');
  expect(await chunks.next()).toEqual({ done: false, value: 'first' });
  say('a', 'b', 'c', 'defghij');
  await eventually('the source to be drained', () => waiting.length === 0);
  const gathered = [(await chunks.next()).value, (await chunks.next()).value];
  finish();
  expect([...gathered, (await chunks.next()).done]).toEqual(['abcdef', 'ghij', true]);
});

test('what was said before a failure comes first, then the failure', async () => {
  const { source, say, finish } = feed();
  const chunks = coalesce(source, options());
  say('half');
  finish(new Error('broken'));
  expect((await chunks.next()).value).toBe('half');
  await expect(chunks.next()).rejects.toThrow('broken');
});

test.each([
  ['for the source', 0],
  ['for its time', 3_600_000],
])('an abort ends the wait %s at once', async (_what, everyMs) => {
  const stop = new AbortController();
  const { source, say, finish } = feed();
  const chunks = coalesce(source, options({ everyMs, signal: stop.signal }));
  say('one');
  await chunks.next();
  const next = chunks.next();
  const reason = new Error('enough');
  stop.abort(reason);
  await expect(next).rejects.toBe(reason);
  finish();
});
