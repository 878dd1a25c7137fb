import { RecentMessages } from '../../../../app/server/rooms/message.ts';

const at = (offset: number, epoch = 'e') => ({ epoch, offset });
const message = (offset: number, { epoch = 'e', bytes = 10 } = {}) => ({
  position: at(offset, epoch),
  text: `${epoch}:${offset}`.padEnd(bytes),
});

function recentOf(...messages: ReturnType<typeof message>[]): RecentMessages {
  const recent = new RecentMessages();
  for (const each of messages) recent.push(each);
  return recent;
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => message(first + index));

test('what came after a position is there, each message at its own', () => {
  const recent = recentOf(...range(5, 9));
  expect(recent.between(at(6), at(9))).toEqual(range(7, 9));
  expect(recent.between(at(4), at(9))).toEqual(range(5, 9));
  expect(recent.between(at(9), at(9))).toEqual([]);
});

test.each([
  ['before the first', at(3), at(9)],
  ['of another epoch', at(6, 'other'), at(9)],
  ['behind the cursor', at(10), at(9)],
  ['while the last is not the cursor', at(6), at(10)],
])('a position %s is not served', (_where, since, cursor) => {
  expect(recentOf(...range(5, 9)).between(since, cursor)).toBeUndefined();
});

test.each([
  ['a gap', message(11)],
  ['another epoch', message(10, { epoch: 'f' })],
])('%s begins anew', (_what, next) => {
  const recent = recentOf(...range(5, 9), next);
  const { epoch, offset } = next.position;
  expect(recent.between(at(8), next.position)).toBeUndefined();
  expect(recent.between(at(offset - 1, epoch), next.position)).toEqual([next]);
});

test('the newest are kept, as far as they are few and small', () => {
  const many = recentOf(...range(1, 200));
  expect(many.between(at(136), at(200))).toHaveLength(64);
  expect(many.between(at(100), at(200))).toBeUndefined();
  const large = recentOf(message(1), message(2, { bytes: 100_000 }), message(3));
  expect(large.between(at(2), at(3))).toEqual([message(3)]);
  expect(large.between(at(1), at(3))).toBeUndefined();
});
