import { openLimits } from '../../../../app/server/limits/limits.ts';
import { UnusedRooms } from '../../../../app/server/limits/unused-rooms.ts';

const of = (name: string, burst: number) => ({ name, burst, perSecond: 0.001 });
const ada = { subject: 'ada', guest: false };
const bob = { subject: 'bob', guest: false };

test('a user who floods takes nothing of the others at its address', () => {
  const limits = openLimits({
    deployment: 'test',
    rules: { publishesByUser: of('publish', 2), publishesByAddress: of('publish-address', 5) },
  });
  expect([1, 2].map(() => limits.publish(ada, '192.0.2.1'))).toEqual([undefined, undefined]);
  for (let call = 0; call < 100; call += 1) expect(limits.publish(ada, '192.0.2.1')).toBeGreaterThan(0);
  expect([1, 2].map(() => limits.publish(bob, '192.0.2.1'))).toEqual([undefined, undefined]);
  limits.close();
});

test('calls of a hub by many users of one address are bounded together, as publishes are', () => {
  const limits = openLimits({ deployment: 'test', rules: { callsByAddress: of('call-address', 3) } });
  const call = (subject: string, address: string) => limits.call({ subject, guest: true }, address);
  expect(['a', 'b', 'c'].map((guest) => call(guest, '192.0.2.1'))).toEqual([undefined, undefined, undefined]);
  expect(call('d', '192.0.2.1')).toBeGreaterThan(0);
  expect(call('d', '192.0.2.2')).toBeUndefined();
  limits.close();
});

test('many users of one address are bounded together; an IPv6 network is one address', () => {
  const limits = openLimits({ deployment: 'test', rules: { handshakesByAddress: of('handshake', 3) } });
  const taken = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:ffff::3', '2001:db8::4'].map((address) =>
    limits.handshake(address),
  );
  expect(taken.slice(0, 3)).toEqual([undefined, undefined, undefined]);
  expect(taken[3]).toBeGreaterThan(0);
  expect(limits.handshake('2001:db8:0:1::1')).toBeUndefined();
  limits.close();
});

describe('work is charged', () => {
  const at = '192.0.2.1';

  test('a publish by its bytes, and by what the log adds to each', () => {
    const limits = openLimits({
      deployment: 'test',
      rules: {
        publishedBytesByUser: of('bytes', 10_000),
        publishedBytesByAddress: of('bytes-address', 30_000),
      },
    });
    expect(limits.publish(ada, at, 9_000)).toBeUndefined();
    expect(limits.publish(ada, at, 9_000)).toBeUndefined();
    expect(limits.publish(ada, at)).toBeGreaterThan(0);
    expect(limits.publish(bob, at, 20_000)).toBeUndefined();
    expect(limits.publish({ subject: 'carl', guest: false }, at)).toBeGreaterThan(0);
    limits.close();
  });

  test('a join by what its reply took: the next one waits', () => {
    const limits = openLimits({ deployment: 'test', rules: { readBytesByUser: of('read', 1_000) } });
    expect(limits.join(ada, at)).toBeUndefined();
    limits.read(ada, at, 256_000);
    expect(limits.join(ada, at)).toBeGreaterThan(200_000_000);
    expect(limits.join(bob, at)).toBeUndefined();
    limits.close();
  });

  test('rooms that a user makes, and rooms without messages that it is in', () => {
    const limits = openLimits({
      deployment: 'test',
      rules: { newRoomsByUser: of('room', 2), unusedJoinsByUser: of('unused', 3_000) },
    });
    expect(limits.untilNewRoom(ada, at)).toBeUndefined();
    for (let n = 0; n < 2; n += 1) limits.newRoom(ada, at);
    expect(limits.untilNewRoom(ada, at)).toBeGreaterThan(0);
    expect(limits.untilNewRoom(bob, at)).toBeUndefined();

    const used = new Set<string>();
    const enter = (room: string) => limits.joinUnused(ada, at, room, () => !used.has(room));
    for (let n = 0; n < 2_000; n += 1) expect(enter(`room ${n}`)).toBeUndefined();
    expect(enter('one more')).toBeGreaterThan(0);
    // A second connection in the same room is no other room.
    expect(enter('room 0')).toBeUndefined();
    limits.leaveUnused(ada, at, 'room 0');
    expect(enter('one more')).toBeGreaterThan(0);
    limits.leaveUnused(ada, at, 'room 0');
    expect(enter('one more')).toBeUndefined();
    limits.close();
  });
});

test('a room that has messages by now does not count any more', () => {
  const rooms = new UnusedRooms(2);
  const used = new Set<string>();
  const enter = (room: string) => rooms.enter('ada', room, () => !used.has(room));
  expect(['a', 'b'].map(enter)).toEqual([true, true]);
  used.add('a');
  expect(['c', 'd'].map(enter)).toEqual([true, false]);
  rooms.exit('ada', 'b');
  expect(enter('d')).toBe(true);
});
