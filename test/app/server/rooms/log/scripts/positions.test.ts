import { setTimeout as delay } from 'node:timers/promises';
import {
  announce,
  append,
  changeReplicationId,
  entriesOf,
  epochOf,
  keysOf,
  newRoom,
  type Point,
  read,
  redis,
} from './log-scripts.ts';

describe('a room without messages', () => {
  test('leaves nothing by being read, and its position stays good: the first message follows it', async () => {
    const room = newRoom();
    const { dataSince } = keysOf(room);
    await read(room);
    const first = await read(newRoom());
    const { epoch } = await read(room);
    expect(await redis.keys('*:chat/*')).toEqual([]);
    expect(await redis.pttl(dataSince)).toBeGreaterThan(0);
    expect(first).toMatchObject({ epoch: expect.stringMatching(/^~[0-9a-z]{8}$/), head: 0, whole: 1 });
    expect(await read(room, { since: [epoch, 0] })).toMatchObject({ whole: 1, lost: 0, offsets: [] });
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    await changeReplicationId();
    await append(room, { epoch: 'E2' });
    expect(await read(room, { since: [epoch, 0] })).toMatchObject({
      whole: 1,
      lost: 0,
      offsets: [1, 2, 3, 4],
    });
    expect(await read(room, { since: [epoch, 2] })).toMatchObject({ whole: 1, offsets: [3, 4] });
  });

  test('what its log does not hold any more is counted', async () => {
    const room = newRoom();
    const { epoch } = await read(room);
    for (let n = 0; n < 5; n += 1) await append(room, { epoch: 'E1' });
    await redis.xtrim(keysOf(room).log, 'MINID', '4-0');
    expect(await read(room, { since: [epoch, 0] })).toMatchObject({ whole: 0, lost: 3, offsets: [4, 5] });
  });

  test('is none any more once the data set was emptied: what came in between may be gone', async () => {
    const room = newRoom();
    const { epoch } = await read(room);
    await append(room, { epoch: 'E1' });
    // Within one millisecond nothing tells before from after.
    await delay(5);
    await redis.flushall();
    expect(await read(room, { since: [epoch, 0] })).toMatchObject({ whole: 0, lost: -1, offsets: [] });
    await append(room, { epoch: 'E2' });
    // And who was in the epoch that is gone has seen nothing of the new one.
    for (const name of [epoch, 'E1']) {
      expect(await read(room, { since: [name, 1] })).toMatchObject({ whole: 0, lost: -1, offsets: [1] });
    }
  });

  test('is told as lost when it is older than what is known of rooms', async () => {
    const room = newRoom();
    const { dataSince } = keysOf(room);
    const old = `~${(Date.now() - 800_000).toString(36)}`;
    await redis.set(dataSince, Date.now() - 900_000);
    expect(await read(room, { since: [old, 0] })).toMatchObject({ whole: 0, lost: -1 });
    const young = `~${(Date.now() - 600_000).toString(36)}`;
    expect(await read(room, { since: [young, 0] })).toMatchObject({ whole: 1, lost: 0 });
    // Of a log in the memory of an instance, which is nobody else's.
    expect(await read(room, { since: [`${young}.tag`, 0] })).toMatchObject({ whole: 0, lost: -1 });
  });

  test('is not made by a sender who may make none, whatever there is of it, and is by others', async () => {
    const room = newRoom();
    await read(room);
    const barred = { mayBeNew: false, id: 'a' };
    expect(await append(room, barred)).toEqual(['', 0, 3]);
    expect(await redis.exists(keysOf(room).log, keysOf(room).meta, keysOf(room).id('ann', 'a'))).toBe(0);
    expect(await append(room, { epoch: 'E1' })).toEqual(['E1', 1, 2]);
    expect(await append(room, barred)).toEqual(['E1', 2, 0]);
  });
});

describe('a loss that is announced', () => {
  test('is told to everyone from before, in number, and to nobody who comes behind it', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    expect(await announce(room, 'E2', 4)).toEqual(['E2', 3]);
    expect(await read(room, { since: ['E1', 3] })).toMatchObject({ whole: 0, lost: 4, offsets: [] });
    expect(await append(room)).toEqual(['E2', 4, 0]);
    expect(await read(room, { since: ['E1', 1] })).toMatchObject({ whole: 0, lost: 4, offsets: [2, 3, 4] });
    expect(await read(room, { since: ['E2', 3] })).toMatchObject({ whole: 1, lost: 0, offsets: [4] });
    const [first] = (await entriesOf(room)).slice(-1);
    expect(first?.message).not.toHaveProperty('prev');
    await announce(room, 'E3', 2);
    expect(await read(room, { since: ['E1', 3] })).toMatchObject({ lost: 6, offsets: [4] });
    expect(await read(room, { acked: ['E1', 3] })).toMatchObject({ ackedKept: 1 });
  });

  test('in a room without messages is told to who has joined it', async () => {
    const room = newRoom();
    const { epoch } = await read(room);
    await announce(room, 'E1', 2);
    expect(await read(room, { since: [epoch, 0] })).toMatchObject({ whole: 0, lost: 2, offsets: [] });
    expect(await append(room)).toEqual(['E1', 1, 0]);
    expect(await read(room, { since: ['E1', 0] })).toMatchObject({ whole: 1, offsets: [1] });
  });
});

describe('an earliest visible offset', () => {
  test('hides what a member would have heard live, and says so', async () => {
    const room = newRoom();
    for (let n = 0; n < 6; n += 1) await append(room, { epoch: 'E1' });
    const since = (offset: number) => ({ since: ['E1', offset] as Point });
    expect(await read(room, { ...since(2), visible: '5:' })).toMatchObject({ lost: 2, offsets: [5, 6] });
    expect(await read(room, { ...since(4), visible: '5:' })).toMatchObject({ lost: 0, offsets: [5, 6] });
    expect(await read(room, { ...since(3), visible: '99:' })).toMatchObject({ lost: 3, offsets: [], end: 6 });
    // A newcomer asks for what was there before it came: that it may not have all of that is no loss.
    expect(await read(room, { ...since(0), visible: '5:' })).toMatchObject({ lost: 0, offsets: [5, 6] });
    expect(await read(room, { ...since(0), visible: '99:' })).toMatchObject({ lost: 6, offsets: [] });
    expect(await read(room, { ...since(0), visible: '2: 4:E1' })).toMatchObject({ offsets: [4, 5, 6] });
  });

  test('with its epoch holds through failovers, and is void in a room that began anew', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    await changeReplicationId();
    await append(room, { epoch: 'E2' });
    const visible = `4:${epochOf(room, 'E1')}`;
    expect(await read(room, { since: ['E1', 0], visible })).toMatchObject({ offsets: [4] });
    await redis.del(keysOf(room).meta, keysOf(room).log);
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E3' });
    expect(await read(room, { since: ['E3', 0], visible })).toMatchObject({ whole: 1, offsets: [1, 2, 3] });
    expect(await read(room, { since: ['E3', 1], visible: '4:' })).toMatchObject({ lost: 2, offsets: [] });
  });

  test('with an epoch that a failover lost still holds: the room did not begin anew', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    const lost = `${(Date.now() + 1_000).toString(36)}.lost`;
    expect(await read(room, { since: ['E1', 1], visible: `3:${lost}` })).toMatchObject({ offsets: [3] });
  });
});
