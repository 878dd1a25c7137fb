import type { JoinAnswer, Message } from '../../../app/protocol/hub.ts';
import { type Question, questionsAbout, wrongWith } from '../../../lib/verify/questions.ts';

const head = { epoch: 'E', offset: 7 };
const [back, newest, unknown, ahead, acked] = questionsAbout(head) as [
  Question,
  Question,
  Question,
  Question,
  Question,
];

const at = (...offsets: number[]) =>
  offsets.map((offset): Message => ({ ...head, offset, room: 'r', id: '', from: '', at: 0, body: 0 }));
const answer = (change: Partial<JoinAnswer> = {}): JoinAnswer => ({
  ...head,
  recovered: true,
  messages: [],
  more: false,
  ...change,
});
const told = (lost = {}) => answer({ recovered: false, lost });

test('asks for positions that are good, and for ones that never were', () => {
  expect(back.request).toEqual({ since: { epoch: 'E', offset: 4 } });
  expect(newest.request).toEqual({ since: head });
  expect(unknown.request.since?.epoch).not.toBe('E');
  expect(ahead.request.since?.offset).toBeGreaterThan(7);
  expect(acked.request).toEqual({ since: head, acked: { epoch: 'E', offset: 10 } });
});

test('a log with one message is asked for that one', () => {
  const [first] = questionsAbout({ epoch: 'E', offset: 1 });
  expect(first).toMatchObject({
    position: 'a position 1 back',
    request: { since: { offset: 0 } },
    messages: 1,
  });
});

test.each([
  ['all behind a good position', back, answer({ messages: at(5, 6, 7) })],
  ['nothing behind the newest one', newest, answer()],
  ['told of an unknown epoch', unknown, told()],
  ['told of a position ahead', ahead, told({ messages: 3 })],
  ['told of an acknowledged publish that is gone', acked, told({ acked: true })],
])('%s is right', (_what, question, given) => {
  expect(wrongWith(given, question, head)).toBeUndefined();
});

test.each([
  ['a good position refused', back, told(), 'recovered: false'],
  ['one message left out', back, answer({ messages: at(5, 6) }), '2 of the 3 messages behind it'],
  ['a hole', back, answer({ messages: at(5, 7, 8) }), '3 of the 3 messages behind it, not contiguous'],
  ['an answer from elsewhere', newest, answer({ offset: 6 }), 'offset 6 where the log stands at 7'],
  ['an unknown epoch taken', unknown, answer(), 'recovered: true'],
  ['a position ahead taken', ahead, answer(), 'recovered: true'],
  ['a lost publish unsaid', acked, told({ messages: 3 }), 'recovered: false without lost.acked'],
])('%s is told in words', (_what, question, given, words) => {
  expect(wrongWith(given, question, head)).toBe(words);
});
