import type { Counted } from '../../../lib/verify/counted.ts';
import { Tally } from '../../../lib/verify/tally.ts';

const a = { name: 'a', instance: 'app-1' };
const b = { name: 'b', instance: 'app-2' };

function tallyOf(...parties: { name: string; instance: string }[]) {
  const tally = new Tally('verify-room');
  for (const party of parties) tally.owe(party);
  let offset = 0;
  const publish = (sender = a): Counted => {
    const { id, body } = tally.next(sender);
    const position = { epoch: 'E', offset: ++offset };
    tally.acknowledge(id, position);
    return { room: 'verify-room', id, body, ...position };
  };
  return { tally, publish };
}

test('everything once and in order is whole', () => {
  const { tally, publish } = tallyOf(a, b);
  for (let i = 0; i < 3; i += 1) {
    const message = publish(i === 1 ? b : a);
    tally.hear(a, message);
    tally.hear(b, message);
  }
  expect(tally.complete).toBe(true);
  expect(tally.sum()).toMatchObject({
    senders: 2,
    receivers: 2,
    published: 3,
    unacknowledged: 0,
    expected: 6,
    arrived: 6,
    lost: 0,
    duplicate: 0,
    outOfOrder: 0,
  });
});

test('a loss is counted with the instances between which it happened', () => {
  const { tally, publish } = tallyOf(a, b);
  tally.hear(a, publish());
  expect(tally.complete).toBe(false);
  expect(tally.sum()).toMatchObject({ expected: 2, arrived: 1, lost: 1 });
  expect(tally.sum().routes).toEqual([
    { from: 'app-1', to: 'app-1', expected: 1, lost: 0 },
    { from: 'app-1', to: 'app-2', expected: 1, lost: 1 },
  ]);
});

test('a repeat does not make up for a loss', () => {
  const { tally, publish } = tallyOf(b);
  const first = publish();
  publish();
  tally.hear(b, first);
  tally.hear(b, first);
  expect(tally.complete).toBe(false);
  expect(tally.sum()).toMatchObject({ lost: 1, duplicate: 1, rewritten: 0, outOfOrder: 0 });
});

test('what comes behind a later one of the log is out of order', () => {
  const { tally, publish } = tallyOf(b);
  const [first, second, third] = [publish(a), publish(b), publish(a)] as const;
  for (const message of [first, third, second]) tally.hear(b, message);
  expect(tally.sum()).toMatchObject({ lost: 0, outOfOrder: 1 });
});

test("a sender's messages that the log holds in another order than it sent them are out of order", () => {
  const { tally, publish } = tallyOf(b);
  const [first, second] = [publish(a), publish(a)] as const;
  tally.hear(b, { ...second, offset: 1 });
  tally.hear(b, { ...first, offset: 2 });
  expect(tally.sum()).toMatchObject({ lost: 0, outOfOrder: 1, misplaced: 2 });
});

test('a message that is heard at two positions was written twice', () => {
  const { tally, publish } = tallyOf(b);
  const message = publish();
  tally.hear(b, message);
  tally.hear(b, { ...message, offset: 2 });
  expect(tally.sum()).toMatchObject({ duplicate: 1, rewritten: 1 });
});

test('two messages at one offset are out of order', () => {
  const { tally, publish } = tallyOf(b);
  for (const message of [publish(), publish()]) tally.hear(b, { ...message, offset: 1 });
  expect(tally.sum()).toMatchObject({ outOfOrder: 1, misplaced: 1 });
});

test('offsets that are passed over are counted, unless their loss was told', () => {
  const { tally, publish } = tallyOf(b);
  const message = publish();
  tally.hear(b, message);
  tally.hear(b, { ...publish(), offset: 5 });
  tally.tell(b);
  tally.hear(b, { ...publish(), offset: 9 });
  expect(tally.sum()).toMatchObject({ jumped: 3, told: 1, outOfOrder: 0 });
});

test('a change of epoch is a jump unless it says where the one before ended', () => {
  const { tally, publish } = tallyOf(b);
  tally.hear(b, publish());
  tally.hear(b, { ...publish(), epoch: 'F', prev: { epoch: 'E', offset: 1 } });
  expect(tally.sum().jumped).toBe(0);
  tally.hear(b, { ...publish(), epoch: 'G' });
  expect(tally.sum().jumped).toBe(1);
});

test('nobody is owed what was not acknowledged, and its arrival is no fault', () => {
  const { tally, publish } = tallyOf(b);
  const { id, body } = tally.next(a);
  tally.hear(b, { room: 'verify-room', id, body, epoch: 'D', offset: 1 });
  tally.tell(b);
  tally.hear(b, publish());
  expect(tally.sum()).toMatchObject({ published: 2, unacknowledged: 1, expected: 1, lost: 0 });
});

test('other rooms, other senders and other receivers are left out', () => {
  const { tally, publish } = tallyOf(b);
  const message = publish();
  tally.hear(b, { ...message, room: 'verify-other' });
  tally.hear(b, { ...message, id: 'z-0' });
  tally.hear(a, message);
  expect(tally.arrivals).toBe(0);
});
