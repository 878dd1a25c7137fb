import { type Counted, Tally } from '../../../lib/verify/tally.ts';

const a = { name: 'a', instance: 'app-1' };
const b = { name: 'b', instance: 'app-2' };

function tallyOf(...parties: { name: string; instance: string }[]) {
  const tally = new Tally('verify-room');
  for (const party of parties) tally.owe(party);
  const publish = (sender = a): Counted => {
    const { id, body } = tally.next(sender);
    tally.acknowledge(id);
    return { room: 'verify-room', id, body };
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
  expect(tally.sum()).toMatchObject({ lost: 1, duplicate: 1, outOfOrder: 0 });
});

test('order counts for each sender alone', () => {
  const { tally, publish } = tallyOf(b);
  const [a1, b1, a2] = [publish(a), publish(b), publish(a)];
  for (const message of [b1, a1, a2]) tally.hear(b, message);
  expect(tally.sum().outOfOrder).toBe(0);
  const [a3, a4] = [publish(a), publish(a)];
  for (const message of [a4, a3]) tally.hear(b, message);
  expect(tally.sum()).toMatchObject({ lost: 0, outOfOrder: 1 });
});

test('nobody is owed what was not acknowledged, and its arrival is no fault', () => {
  const { tally, publish } = tallyOf(b);
  const { id, body } = tally.next(a);
  tally.hear(b, { room: 'verify-room', id, body });
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
