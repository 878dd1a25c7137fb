import { RoomCursor } from '../../../../app/client/room/cursor.ts';
import { at, joined, message } from '../../../support/servers/scripted-hub.ts';

/** A cursor that has joined at an offset of `E1`. */
function cursorAt(offset: number): RoomCursor {
  const cursor = new RoomCursor();
  cursor.joined(joined(offset));
  return cursor;
}

test('before the first join every message asks for a join', () => {
  const cursor = new RoomCursor();
  expect(cursor.actionFor(message(1))).toBe('rejoin');
  expect(cursor.position).toBeUndefined();
});

describe('in one epoch', () => {
  test.each([
    [9, 'drop'],
    [10, 'drop'],
    [11, 'deliver'],
    [12, 'rejoin'],
  ])('at 10, message %i: %s', (offset, action) => {
    expect(cursorAt(10).actionFor(message(offset))).toBe(action);
  });

  test('looking at one moves nothing, delivering does', () => {
    const cursor = cursorAt(10);
    expect(cursor.actionFor(message(11))).toBe('deliver');
    expect(cursor.position).toEqual(at(10));
    cursor.delivered(message(11));
    expect(cursor.position).toEqual(at(11));
    expect(cursor.actionFor(message(11))).toBe('drop');
    expect(cursor.actionFor(message(12))).toBe('deliver');
  });

  test('what was acknowledged is not what was delivered', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(14));
    expect(cursor.position).toEqual(at(10));
    expect(cursor.actionFor(message(11))).toBe('deliver');
    expect(cursor.actionFor(message(14))).toBe('rejoin');
  });
});

describe('a new epoch, at 10', () => {
  test.each([
    ['starts where this client is', at(10), 'deliver'],
    ['starts behind it: what it has may be gone', at(9), 'rejoin'],
    ['starts ahead of it: it missed something', at(11), 'rejoin'],
    ['follows another one that it never saw', at(10, 'E0'), 'rejoin'],
    ['does not say where it starts', undefined, 'rejoin'],
  ])('that %s', (_what, prev, action) => {
    const first = message(11, { epoch: 'E2', ...(prev ? { prev } : {}) });
    expect(cursorAt(10).actionFor(first)).toBe(action);
  });

  test.each([
    ['that the old epoch holds', at(10), 'deliver'],
    ['behind the end of the old epoch: a failover lost it', at(11), 'rejoin'],
    ['in the new epoch itself', at(12, 'E2'), 'deliver'],
    ['in an epoch that neither is: it came and went between', at(11, 'E1b'), 'rejoin'],
  ])('after an acknowledged publish %s', (_what, acked, action) => {
    const cursor = cursorAt(10);
    cursor.acknowledged(acked);
    expect(cursor.actionFor(message(11, { epoch: 'E2', prev: at(10) }))).toBe(action);
  });
});

describe('what was acknowledged', () => {
  test('is the highest, in whatever order the answers come', () => {
    const cursor = cursorAt(10);
    for (const offset of [12, 15, 13]) cursor.acknowledged(at(offset));
    expect(cursor.acked).toEqual(at(15));
    expect(cursor.isInDoubt).toBe(false);
  });

  test('in another epoch than this client is in may be gone: the log is to be asked', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(11, 'E2'));
    expect(cursor.isInDoubt).toBe(true);
    cursor.joined(joined(11, { epoch: 'E2' }), cursor.acked);
    expect(cursor.isInDoubt).toBe(false);
  });

  test('is not hidden by what a later epoch answers: the old one is asked about first', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(12));
    cursor.acknowledged(at(15, 'E2'));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([true, at(12)]);
    cursor.joined(joined(15, { epoch: 'E2', recovered: false, lost: { acked: true } }), at(12));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([false, at(15, 'E2')]);
  });

  test('and seen in its epoch before there was another is asked about anew', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(10));
    cursor.joined(joined(10), at(10));
    cursor.acknowledged(at(12, 'E2'));
    expect(cursor.acked).toEqual(at(10));
  });

  test('is asked about again where an instance answered from the epoch before', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(10));
    cursor.acknowledged(at(12, 'E2'));
    cursor.joined(joined(10), at(10));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([true, at(12, 'E2')]);
    cursor.joined(joined(12, { epoch: 'E2' }), at(12, 'E2'));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([true, at(10)]);
    cursor.joined(joined(12, { epoch: 'E2' }), at(10));
    expect(cursor.isInDoubt).toBe(false);
  });

  test('and held by a later epoch is in doubt no more, and stays what a join carries', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(9));
    cursor.delivered(message(11, { epoch: 'E2', prev: at(10) }));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([false, at(9)]);
  });

  test('and held by one later epoch is asked about in the one after that', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(9));
    cursor.delivered(message(11, { epoch: 'E2', prev: at(10) }));
    cursor.acknowledged(at(3, 'E9'));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([true, at(9)]);
    cursor.joined(joined(3, { epoch: 'E9', recovered: false, lost: { acked: true } }), at(9));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([false, at(3, 'E9')]);
  });

  test('behind the end of its epoch stays in doubt, though the next epoch was delivered', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(12));
    cursor.delivered(message(11, { epoch: 'E2', prev: at(10) }));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([true, at(12)]);
  });

  test('in a room that expired and came back is asked about, and then forgotten', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(11));
    cursor.joined(joined(1, { epoch: 'E9', recovered: false, lost: { acked: true } }), at(11));
    cursor.acknowledged(at(2, 'E9'));
    expect([cursor.isInDoubt, cursor.acked]).toEqual([false, at(2, 'E9')]);
  });

  test('is forgotten once its loss was reported', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(12));
    cursor.joined(joined(10, { recovered: false, lost: { acked: true } }), at(12));
    expect(cursor.acked).toBeUndefined();
  });

  test('is kept when other messages were lost', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(12));
    cursor.joined(joined(20, { recovered: false, lost: { messages: 3 } }), at(12));
    expect(cursor.acked).toEqual(at(12));
  });

  test('while its loss was being reported is not forgotten with it', () => {
    const cursor = cursorAt(10);
    cursor.acknowledged(at(12));
    const asked = cursor.acked;
    cursor.acknowledged(at(13));
    cursor.joined(joined(10, { recovered: false, lost: { acked: true } }), asked);
    expect(cursor.acked).toEqual(at(13));
  });
});
