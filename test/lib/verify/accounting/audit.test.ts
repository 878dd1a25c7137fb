import { auditDeliveries, noStatistics, RoomLog } from '../../../../lib/verify/accounting/audit.ts';
import { Ledger } from '../../../../lib/verify/accounting/ledger.ts';

const room = 'r';
const ann = { name: 'ann', instance: 'app-1' };
const at = (offset: number, epoch = 'E') => ({ epoch, offset, id: `${epoch}${offset}` });
const message = (offset: number, epoch = 'E') => ({ room, ...at(offset, epoch) });

/** A log of these entries in one epoch, or in two of which the second begins behind an offset. */
function logOf(offsets: readonly number[], { second = 0 } = {}): RoomLog {
  const entries = offsets.map((offset) => (second > 0 && offset > second ? at(offset, 'F') : at(offset)));
  const epochs = [{ epoch: 'E', after: 0 }, ...(second > 0 ? [{ epoch: 'F', after: second }] : [])];
  return new RoomLog(entries, epochs, offsets.at(-1) ?? 0);
}

/** @param play what happens to the one client, which joined at the beginning */
function auditOf(
  log: RoomLog,
  play: (ledger: Ledger, receiver: ReturnType<Ledger['join']>) => void,
  isNotified = true,
) {
  const ledger = new Ledger(room);
  const receiver = ledger.join(ann, { isNotified });
  receiver.from = { epoch: 'E', offset: 0 };
  play(ledger, receiver);
  return auditDeliveries([ledger], new Map([[room, log]]));
}

test('each entry once and in order is flawless', () => {
  const { client, plain } = auditOf(logOf([1, 2, 3]), (_, receiver) => {
    for (const offset of [1, 2, 3]) receiver.delivered(message(offset));
  });
  expect(client).toEqual({ ...noStatistics, expected: 3, delivered: 3 });
  expect(plain).toEqual(noStatistics);
});

test.each([
  ['in the middle', [1, 3], 1],
  ['at the end', [1, 2], 1],
  ['all of it', [], 3],
])('an entry that is missing is lost unsaid: %s', (_what, offsets, lostUnsaid) => {
  const { client } = auditOf(logOf([1, 2, 3]), (_, receiver) => {
    for (const offset of offsets) receiver.delivered(message(offset));
  });
  expect(client).toMatchObject({ lostUnsaid, duplicated: 0, outOfOrder: 0 });
});

test('a notification covers what is missing in its own place, and nothing elsewhere', () => {
  const covered = auditOf(logOf([1, 2, 3, 4]), (_, receiver) => {
    receiver.delivered(message(1));
    receiver.lost();
    receiver.delivered(message(4));
  });
  expect(covered.client).toMatchObject({ lostUnsaid: 0, notified: 1 });
  const elsewhere = auditOf(logOf([1, 2, 3, 4]), (_, receiver) => {
    receiver.delivered(message(1));
    receiver.lost();
    receiver.delivered(message(2));
    receiver.delivered(message(4));
  });
  expect(elsewhere.client).toMatchObject({ lostUnsaid: 1, notified: 1 });
});

test('a repeat and an entry behind a later one are counted', () => {
  const { client } = auditOf(logOf([1, 2, 3]), (_, receiver) => {
    for (const offset of [1, 3, 3, 2]) receiver.delivered(message(offset));
  });
  expect(client).toMatchObject({ duplicated: 1, outOfOrder: 1, lostUnsaid: 1 });
});

test('one id at two positions is a repeat', () => {
  const { client } = auditOf(logOf([1, 2]), (_, receiver) => {
    receiver.delivered(message(1));
    receiver.delivered({ ...message(2), id: 'E1' });
  });
  expect(client).toMatchObject({ duplicated: 1 });
});

test('what was delivered and is gone from the log must be notified behind it', () => {
  const unsaid = auditOf(logOf([1, 3], { second: 1 }), (_, receiver) => {
    receiver.delivered(message(1));
    receiver.delivered(message(2));
    receiver.delivered(message(3, 'F'));
  });
  expect(unsaid.client).toMatchObject({ goneUnsaid: 1 });
  const said = auditOf(logOf([1, 3], { second: 1 }), (_, receiver) => {
    receiver.delivered(message(1));
    receiver.delivered(message(2));
    receiver.lost();
    receiver.delivered({ ...message(3, 'F') });
  });
  expect(said.client).toMatchObject({ goneUnsaid: 0, notified: 1, duplicated: 0 });
});

test('what was trimmed from the log since, and what came before the join, is nobody’s loss', () => {
  const { client } = auditOf(logOf([3, 4]), (_, receiver) => {
    for (const offset of [1, 2, 3, 4]) receiver.delivered(message(offset));
  });
  expect(client).toMatchObject({ expected: 2, lostUnsaid: 0, goneUnsaid: 0, outOfOrder: 0 });
  const late = auditOf(logOf([1, 2, 3]), (_, receiver) => {
    receiver.from = { epoch: 'E', offset: 2 };
    receiver.delivered(message(3));
  });
  expect(late.client).toEqual({ ...noStatistics, expected: 1, delivered: 1 });
});

test('who has left misses nothing behind that', () => {
  const { client } = auditOf(logOf([1, 2]), (_, receiver) => {
    receiver.delivered(message(1));
    receiver.leave();
  });
  expect(client.lostUnsaid).toBe(0);
});

test('plain clients are counted apart', () => {
  const { client, plain } = auditOf(logOf([1]), (_, receiver) => receiver.delivered(message(1)), false);
  expect(client).toEqual(noStatistics);
  expect(plain).toEqual({ ...noStatistics, expected: 1, delivered: 1 });
});

test('an acknowledged publish that the log does not hold is dropped, and its sender must be notified later', () => {
  const publish = (ledger: Ledger, offset: number) => {
    const one = ledger.publish(ann, at(offset).id);
    ledger.acknowledge(one, at(offset));
  };
  const unsaid = auditOf(logOf([1]), (ledger, receiver) => {
    receiver.lost({ acked: true });
    for (const offset of [1, 2]) publish(ledger, offset);
  });
  expect(unsaid).toMatchObject({ acknowledged: 2, dropped: 1, droppedUnsaid: 1 });
  const said = auditOf(logOf([1]), (ledger, receiver) => {
    publish(ledger, 2);
    receiver.lost({ acked: true });
  });
  expect(said).toMatchObject({ dropped: 1, droppedUnsaid: 0 });
  const withoutAcked = auditOf(logOf([1]), (ledger, receiver) => {
    publish(ledger, 2);
    receiver.lost({ messages: 1 });
  });
  expect(withoutAcked.droppedUnsaid).toBe(1);
});

test('errors are counted by their code, and ids that the log holds twice', () => {
  const log = new RoomLog([at(1), { ...at(2), id: 'E1' }], [{ epoch: 'E', after: 0 }], 2);
  const audit = auditOf(log, (ledger) => {
    ledger.fail(ledger.publish(ann), 'refused');
    ledger.fail(ledger.publish(ann), 'uncertain');
  });
  expect(audit).toMatchObject({ acknowledged: 0, refused: 1, uncertain: 1, appendedTwice: 1 });
});

test('an acknowledged publish that lies before what the log still holds is not dropped', () => {
  const audit = auditOf(logOf([5, 6]), (ledger, receiver) => {
    ledger.acknowledge(ledger.publish(ann, 'E2'), at(2));
    for (const offset of [2, 5, 6]) receiver.delivered(message(offset));
  });
  expect(audit).toMatchObject({ acknowledged: 1, dropped: 0 });
});
