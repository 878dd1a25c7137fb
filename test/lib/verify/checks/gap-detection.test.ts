import type { JoinReply, Message } from '../../../../app/protocol/hub.ts';
import { type JoinCase, joinCases, wrongWith } from '../../../../lib/verify/checks/delivery/gap-detection.ts';

const head = { epoch: 'E', offset: 7 };
const [back, newest, unknown, ahead, acked] = joinCases(head) as [
  JoinCase,
  JoinCase,
  JoinCase,
  JoinCase,
  JoinCase,
];

const at = (...offsets: number[]) =>
  offsets.map((offset): Message => ({ ...head, offset, room: 'r', id: '', from: '', at: 0, body: 0 }));
const reply = (change: Partial<JoinReply> = {}): JoinReply => ({
  ...head,
  recovered: true,
  messages: [],
  more: false,
  ...change,
});
const gap = (lost = {}) => reply({ recovered: false, lost });

test('tries positions that are good, and ones that never were', () => {
  expect(back.request).toEqual({ since: { epoch: 'E', offset: 4 } });
  expect(newest.request).toEqual({ since: head });
  expect(unknown.request.since?.epoch).not.toBe('E');
  expect(ahead.request.since?.offset).toBeGreaterThan(7);
  expect(acked.request).toEqual({ since: head, acked: { epoch: 'E', offset: 10 } });
});

test('of a log with one message that one is tried', () => {
  const [first] = joinCases({ epoch: 'E', offset: 1 });
  expect(first).toMatchObject({
    position: 'a position 1 back',
    request: { since: { offset: 0 } },
    messages: 1,
  });
});

test.each([
  ['all behind a good position', back, reply({ messages: at(5, 6, 7) })],
  ['nothing behind the newest one', newest, reply()],
  ['a gap for an unknown epoch', unknown, gap()],
  ['a gap for a position ahead', ahead, gap({ messages: 3 })],
  ['a gap for an acknowledged publish that is gone', acked, gap({ acked: true })],
])('%s is right', (_what, tried, given) => {
  expect(wrongWith(given, tried, head)).toBeUndefined();
});

test.each([
  ['a good position refused', back, gap(), 'recovered: false'],
  ['one message left out', back, reply({ messages: at(5, 6) }), '2 of the 3 messages behind it'],
  ['a hole', back, reply({ messages: at(5, 7, 8) }), '3 of the 3 messages behind it, not contiguous'],
  ['a reply from elsewhere', newest, reply({ offset: 6 }), 'offset 6 where the log stands at 7'],
  ['an unknown epoch taken', unknown, reply(), 'recovered: true'],
  ['a position ahead taken', ahead, reply(), 'recovered: true'],
  ['a lost publish unsaid', acked, gap({ messages: 3 }), 'recovered: false without lost.acked'],
])('%s is said in words', (_what, tried, given, words) => {
  expect(wrongWith(given, tried, head)).toBe(words);
});
