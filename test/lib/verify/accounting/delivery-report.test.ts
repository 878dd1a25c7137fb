import { type DeliveryReport, reportDeliveries } from '../../../../lib/verify/accounting/delivery-report.ts';
import { type Delivery, Ledger } from '../../../../lib/verify/accounting/ledger.ts';

const room = 'verify-room';
const a = { name: 'a', instance: 'app-1' };
const b = { name: 'b', instance: 'app-2' };

function open(...participants: { name: string; instance: string }[]) {
  const ledger = new Ledger(room);
  const receivers = participants.map((participant) => ledger.join(participant));
  let offset = 0;
  const publish = (sender = a): Delivery & { room: string } => {
    const next = ledger.publish(sender);
    const position = { epoch: 'E', offset: ++offset };
    ledger.acknowledge(next, position);
    return { room, id: next.id, ...position };
  };
  const report = (): DeliveryReport => reportDeliveries(ledger);
  return { ledger, publish, report, to: receivers };
}

test('everything once and in order is whole', () => {
  const { ledger, publish, report, to } = open(a, b);
  for (let i = 0; i < 3; i += 1) {
    const message = publish(i === 1 ? b : a);
    for (const receiver of to) receiver.delivered(message);
  }
  expect(ledger.isComplete).toBe(true);
  expect(report()).toEqual({
    senders: 2,
    receivers: 2,
    published: 3,
    unacknowledged: 0,
    expected: 6,
    arrived: 6,
    lost: 0,
    duplicated: 0,
    rewritten: 0,
    outOfOrder: 0,
    skipped: 0,
    misplaced: 0,
    notified: 0,
    routes: [
      { from: 'app-1', to: 'app-1', expected: 2, lost: 0 },
      { from: 'app-1', to: 'app-2', expected: 2, lost: 0 },
      { from: 'app-2', to: 'app-1', expected: 1, lost: 0 },
      { from: 'app-2', to: 'app-2', expected: 1, lost: 0 },
    ],
  });
});

test('a loss is counted with the instances between which it happened', () => {
  const { ledger, publish, report, to } = open(a, b);
  to[0]?.delivered(publish());
  expect(ledger.isComplete).toBe(false);
  expect(report()).toMatchObject({ expected: 2, arrived: 1, lost: 1 });
  expect(report().routes).toEqual([
    { from: 'app-1', to: 'app-1', expected: 1, lost: 0 },
    { from: 'app-1', to: 'app-2', expected: 1, lost: 1 },
  ]);
});

test('a repeat does not make up for a loss', () => {
  const { ledger, publish, report, to } = open(b);
  const first = publish();
  publish();
  for (let i = 0; i < 2; i += 1) to[0]?.delivered(first);
  expect(ledger.isComplete).toBe(false);
  expect(report()).toMatchObject({ lost: 1, duplicated: 1, rewritten: 0, outOfOrder: 0 });
});

test('what comes behind a later one of the log is out of order', () => {
  const { publish, report, to } = open(b);
  const [first, second, third] = [publish(a), publish(b), publish(a)] as const;
  for (const message of [first, third, second]) to[0]?.delivered(message);
  expect(report()).toMatchObject({ lost: 0, outOfOrder: 1 });
});

test("a sender's messages that the log holds in another order than it sent them are out of order", () => {
  const { publish, report, to } = open(b);
  const [first, second] = [publish(a), publish(a)] as const;
  to[0]?.delivered({ ...second, offset: 1 });
  to[0]?.delivered({ ...first, offset: 2 });
  expect(report()).toMatchObject({ lost: 0, outOfOrder: 1, misplaced: 2 });
});

test('a message that is delivered at two positions was written twice', () => {
  const { publish, report, to } = open(b);
  const message = publish();
  to[0]?.delivered(message);
  to[0]?.delivered({ ...message, offset: 2 });
  expect(report()).toMatchObject({ duplicated: 1, rewritten: 1 });
});

test('two messages at one offset are out of order', () => {
  const { publish, report, to } = open(b);
  for (const message of [publish(), publish()]) to[0]?.delivered({ ...message, offset: 1 });
  expect(report()).toMatchObject({ outOfOrder: 1, misplaced: 1 });
});

test('offsets that are skipped are counted, unless their loss was notified', () => {
  const { publish, report, to } = open(b);
  to[0]?.delivered(publish());
  to[0]?.delivered({ ...publish(), offset: 5 });
  to[0]?.lost();
  to[0]?.delivered({ ...publish(), offset: 9 });
  expect(report()).toMatchObject({ skipped: 3, notified: 1, outOfOrder: 0 });
});

test('a change of epoch skips something unless it says where the one before ended', () => {
  const { publish, report, to } = open(b);
  to[0]?.delivered(publish());
  to[0]?.delivered({ ...publish(), epoch: 'F', prev: { epoch: 'E', offset: 1 } });
  expect(report().skipped).toBe(0);
  to[0]?.delivered({ ...publish(), epoch: 'G' });
  expect(report().skipped).toBe(1);
});

test('nobody is owed what was not acknowledged, and its arrival is no fault', () => {
  const { ledger, publish, report, to } = open(b);
  const failed = ledger.publish(a);
  ledger.fail(failed, 'uncertain');
  to[0]?.delivered({ room, id: failed.id, epoch: 'D', offset: 1 });
  to[0]?.lost();
  to[0]?.delivered(publish());
  expect(report()).toMatchObject({ published: 2, unacknowledged: 1, expected: 1, lost: 0 });
});

test('other rooms and messages of others are left out', () => {
  const { ledger, publish, report, to } = open(b);
  const message = publish();
  to[0]?.delivered({ ...message, room: 'verify-other' });
  to[0]?.delivered({ ...message, id: 'z-0' });
  expect(ledger.deliveries).toBe(0);
  expect(report()).toMatchObject({ arrived: 0, lost: 1, duplicated: 0 });
});
