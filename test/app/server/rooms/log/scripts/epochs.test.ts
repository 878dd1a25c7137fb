import { eventually } from '../../../../../support/wait.ts';
import {
  append,
  changeReplicationId,
  entriesOf,
  epochsOf,
  keysOf,
  listen,
  newRoom,
  read,
  redis,
  withoutTimes,
} from './log-scripts.ts';

describe('another replication id', () => {
  test('starts a new epoch; offsets go on, and its first message alone says where the old one ended', async () => {
    const room = newRoom();
    const [first] = await append(room, { epoch: 'E1' });
    await append(room);
    await changeReplicationId();
    expect(await append(room, { epoch: 'E2' })).toEqual(['E2', 3, 0]);
    expect(await append(room)).toEqual(['E2', 4, 0]);
    const messages = (await entriesOf(room)).map(({ message }) => message);
    expect(first).toBe('E1');
    expect(messages.map(({ epoch, offset, prev }) => [epoch, offset, prev])).toEqual([
      ['E1', 1, undefined],
      ['E1', 2, undefined],
      ['E2', 3, { epoch: 'E1', offset: 2 }],
      ['E2', 4, undefined],
    ]);
  });

  test('a repeated id is answered with its place in the old epoch, and makes none', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1', id: 'a' });
    await changeReplicationId();
    expect(await append(room, { epoch: 'E2', id: 'a' })).toEqual(['E1', 1, 1]);
    expect(await entriesOf(room)).toHaveLength(1);
    expect(await append(room, { epoch: 'E3', id: 'b' })).toEqual(['E3', 2, 0]);
  });

  test('16 epochs are kept, and each is good up to its own last offset', async () => {
    const room = newRoom();
    // Two messages an epoch: E1 ends at 2, E2 at 4, …, E20 at 40.
    for (let n = 1; n <= 20; n += 1) {
      if (n > 1) await changeReplicationId();
      await append(room, { epoch: `E${n}` });
      await append(room);
    }
    const kept = Array.from({ length: 16 }, (_, index) => `E${index + 5} ${2 * (index + 4)}`);
    expect(await epochsOf(room)).toBe(kept.join(' '));
    for (let n = 5; n <= 20; n += 1) {
      const end = 2 * n;
      expect(await read(room, { since: [`E${n}`, end - 1] })).toMatchObject({ whole: 1, lost: 0 });
      expect((await read(room, { since: [`E${n}`, end] })).offsets).toEqual(rangeOf(end + 1, 40));
      // One beyond the end was lost; what came after it is given.
      const beyond = await read(room, { since: [`E${n}`, end + 1], acked: [`E${n}`, end + 1] });
      expect(beyond).toMatchObject({ whole: 0, lost: 1, ackedKept: 0, offsets: rangeOf(end + 1, 40) });
      expect((await read(room, { acked: [`E${n}`, end] })).ackedKept).toBe(1);
    }
    // The oldest are forgotten, but for their time: what is of later epochs was not seen in them.
    expect(await read(room, { since: ['E4', 8] })).toMatchObject({
      whole: 0,
      lost: -1,
      offsets: rangeOf(9, 40),
    });
  });

  test('a server that is a replica now is not read: it may lack what others have seen already', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1' });
    await redis.call('REPLICAOF', '127.0.0.1', '1');
    await expect(read(room, { since: ['E1', 3] })).rejects.toThrow(/^READONLY/);
    await redis.call('REPLICAOF', 'NO', 'ONE');
    expect(await read(room, { since: ['E1', 0] })).toMatchObject({ whole: 1, offsets: [1] });
  });

  test('reading changes no epoch', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1' });
    await changeReplicationId();
    expect(await read(room, { since: ['E1', 0] })).toMatchObject({ epoch: 'E1', head: 1, whole: 1 });
  });
});

describe('a counter that is not to be trusted', () => {
  test('the meta is gone: another epoch, which starts where the stream stands', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    await redis.del(keysOf(room).meta);
    expect(await append(room, { epoch: 'E2' })).toEqual(['E2', 4, 2]);
    expect(await epochsOf(room)).toBe('E2 3');
    expect(await read(room, { since: ['E1', 3] })).toMatchObject({ whole: 0, lost: -1, offsets: [4] });
  });

  test('the meta is gone and the room is read first: what stood there is not given as new', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    await redis.del(keysOf(room).meta);
    const joined = await read(room);
    expect(joined).toMatchObject({ epoch: expect.stringMatching(/^~/), head: 3 });
    expect(await append(room, { epoch: 'E2' })).toEqual(['E2', 4, 2]);
    expect(await read(room, { since: [joined.epoch, 3] })).toMatchObject({ whole: 1, offsets: [4] });
  });

  test('the head was set back: the append goes behind the stream, and its id key says where', async () => {
    const room = newRoom();
    for (let n = 0; n < 5; n += 1) await append(room, { epoch: 'E1' });
    await redis.hset(keysOf(room).meta, 'head', 2);
    expect(await append(room, { id: 'a' })).toEqual(['E1', 6, 0]);
    expect(await append(room, { id: 'a' })).toEqual(['E1', 6, 1]);
    expect(await append(room)).toEqual(['E1', 7, 0]);
    expect((await read(room, { since: ['E1', 4] })).offsets).toEqual([5, 6, 7]);
  });

  test('the log is gone and the meta is not: offsets go on, and the hole is told', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    await redis.del(keysOf(room).log);
    expect(await read(room, { since: ['E1', 1] })).toMatchObject({ whole: 0, lost: 2, end: 3 });
    expect(await append(room)).toEqual(['E1', 4, 0]);
    expect(await read(room, { since: ['E1', 1] })).toMatchObject({ whole: 0, lost: 2, offsets: [4] });
    expect(await read(room, { since: ['E1', 3] })).toMatchObject({ whole: 1, lost: 0, offsets: [4] });
  });
});

describe('offsets beyond 1e14', () => {
  test('are whole digits in the reply, the entry, the message, the id key and the meta', async () => {
    const room = newRoom();
    const { meta, id } = keysOf(room);
    await append(room, { epoch: 'E1' });
    await redis.hset(meta, 'head', '900000000000000');
    const heard = await listen(room);

    expect(await append(room, { id: 'a' })).toEqual(['E1', 900000000000001, 0]);
    expect(await append(room, { id: 'a' })).toEqual(['E1', 900000000000001, 1]);
    expect((await entriesOf(room)).at(-1)).toMatchObject({
      offset: 900000000000001,
      message: { offset: 900000000000001 },
    });
    expect(withoutTimes(await redis.get(id('ann', 'a')))).toBe('E1:900000000000001');
    expect(await redis.hget(meta, 'head')).toBe('900000000000001');
    await eventually('the message', () => heard().length > 0);
    expect(withoutTimes(heard()[0] as string)).toMatch(/^E1:900000000000001:\{"room":/);
    expect(await read(room, { since: ['E1', 900000000000000] })).toMatchObject({
      head: 900000000000001,
      whole: 1,
      offsets: [900000000000001],
    });
    await changeReplicationId();
    await append(room, { epoch: 'E2' });
    expect((await entriesOf(room)).at(-1)?.message.prev).toEqual({ epoch: 'E1', offset: 900000000000001 });
    expect(await epochsOf(room)).toBe('E1 0 E2 900000000000001');
  });
});

function rangeOf(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
