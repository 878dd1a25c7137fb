import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Redis } from 'ioredis';
import type { RedisLink } from '../../../../../app/server/redis/connection/link.ts';
import { scriptText } from '../../../../../app/server/redis/script.ts';
import { roomKeys } from '../../../../../app/server/rooms/keys.ts';
import { messageHead } from '../../../../../app/server/rooms/message.ts';
import { linkTo } from '../../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../../support/redis/redis.ts';
import { eventually } from '../../../../support/wait.ts';

/** The scripts as Redis runs them: arguments in, reply out, and what stands in the keys afterwards. */

const folder = join(import.meta.dirname, '../../../../../app/server/rooms/log/scripts');
const textOf = (name: string) =>
  scriptText(pathToFileURL(join(folder, 'epochs.lua')), pathToFileURL(join(folder, name)));
const appendScript = textOf('append.lua');
const readScript = textOf('read.lua');
const announceScript = textOf('announce-loss.lua');

let server: TestRedis;
let link: RedisLink;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  link = await linkTo(server.url);
  redis = link.connection as Redis;
});
afterAll(async () => {
  await link.close();
  await server.stop();
});

let count = 0;
/** A room that no other test has. */
function newRoom(): string {
  count += 1;
  return `room ${count}`;
}

const keysOf = (room: string) => roomKeys('test', 'chat', room);

interface Append {
  /** What an epoch is called behind the time of its making, if one must be made. */
  epoch?: string;
  id?: string;
  mayBeNew?: boolean;
  rest?: string;
  maxAgeMs?: number;
  metaAgeMs?: number;
  idWindowMs?: number;
  on?: Redis;
}

type Appended = [epoch: string, offset: number, outcome: number];

/** Epochs as the tests call them -> as they are, with their time. */
const epochs = new Map<string, string>();
const epochOf = (room: string, name: string) => epochs.get(`${room} ${name}`) ?? name;
const withoutTimes = (text: string | null) => text?.replace(/\b[0-9a-z]{8}\.(?=\w)/g, '');

/** Offers a new epoch at each append, as the service does. */
async function append(room: string, options: Append = {}): Promise<Appended> {
  const keys = keysOf(room);
  const named = options.id === undefined ? [] : [keys.id('ann', options.id)];
  count += 1;
  const args = [
    keys.channel,
    options.epoch ?? `offered${count}`,
    messageHead(room),
    options.rest ?? '"body":0}',
    1_000,
    1_000_000,
    options.maxAgeMs ?? 600_000,
    options.metaAgeMs ?? 700_000,
    options.idWindowMs ?? 120_000,
    options.mayBeNew === false ? 0 : 1,
    0,
  ];
  const on = options.on ?? redis;
  const all = [keys.meta, keys.log, ...named];
  const [epoch, ...rest] = (await on.eval(appendScript, all.length, ...all, ...args)) as Appended;
  const name = withoutTimes(epoch) as string;
  epochs.set(`${room} ${name}`, epoch);
  return [name, ...rest];
}

type Place = [epoch: string, offset: number];

interface Read {
  since?: Place;
  acked?: Place;
  /** `10:E1 25:` */
  visible?: string;
  on?: Redis;
}

async function read(room: string, { since, acked, visible = '', on = redis }: Read = {}) {
  const { meta, log, dataSince } = keysOf(room);
  const placeOf = (place: Place | undefined) => (place ? [epochOf(room, place[0]), place[1]] : ['', 0]);
  const cuts = visible.replace(/(\d+):(\w+)/g, (_, offset, name) => `${offset}:${epochOf(room, name)}`);
  const args = [700_000, ...placeOf(since), ...placeOf(acked), cuts, 200, 256_000];
  const answer = await on.eval(readScript, 3, meta, log, dataSince, ...args);
  const [epoch, head, whole, lost, ackedKept, end, more, ...messages] = answer as [string, ...unknown[]];
  const now = withoutTimes(epoch) as string;
  epochs.set(`${room} ${now}`, epoch);
  return { epoch: now, head, whole, lost, ackedKept, end, more, offsets: messages.map(offsetOf) };
}

const offsetOf = (text: unknown): number => JSON.parse(text as string).offset;

/** The server's replication id becomes another one, as after a failover. */
async function changeReplicationId(): Promise<void> {
  const before = await replicationId();
  await redis.call('REPLICAOF', '127.0.0.1', '1');
  await redis.call('REPLICAOF', 'NO', 'ONE');
  expect(await replicationId()).not.toBe(before);
}

async function replicationId(): Promise<string | undefined> {
  return /^master_replid:(\w+)/m.exec(await redis.info('replication'))?.[1];
}

async function epochsOf(room: string): Promise<string | undefined> {
  return withoutTimes(await redis.hget(keysOf(room).meta, 'epochs'));
}

async function entriesOf(room: string): Promise<{ offset: number; message: Record<string, unknown> }[]> {
  const entries = await redis.xrange(keysOf(room).log, '-', '+');
  return entries.map(([id, fields]) => ({
    offset: Number(id.split('-')[0]),
    message: JSON.parse(withoutTimes(fields[1] as string) as string),
  }));
}

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

function rangeOf(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

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

describe('a full server', () => {
  let full: TestRedis;
  let fullLink: RedisLink;
  let on: Redis;
  beforeAll(async () => {
    full = await startRedis(['--maxmemory-policy', 'noeviction']);
    fullLink = await linkTo(full.url);
    on = fullLink.connection as Redis;
  });
  afterAll(async () => {
    await fullLink.close();
    await full.stop();
  });

  test.each([
    ['with an id', 'a'],
    ['without one', undefined],
  ])('refuses an append %s whole: no id key, no entry, no meta, nothing published', async (_, id) => {
    const room = newRoom();
    const named = id === undefined ? {} : { id };
    await append(room, { epoch: 'E1', on });
    const before = await stateOf(room);
    const heard = await listen(room);
    await on.config('SET', 'maxmemory', '1');
    await expect(append(room, { ...named, on })).rejects.toThrow(/^OOM/);
    await expect(append(newRoom(), { ...named, on })).rejects.toThrow(/^OOM/);
    await on.config('SET', 'maxmemory', '0');
    expect(await stateOf(room)).toEqual(before);
    expect(await append(room, { ...named, on })).toEqual(['E1', 2, 0]);
    await eventually('the message', () => heard().length > 0);
    expect(heard()).toHaveLength(1);
  });

  test('can be joined, by whoever missed something too', async () => {
    const room = newRoom();
    const unused = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1', on });
    await on.config('SET', 'maxmemory', '1');
    const [kept, empty] = [await read(room, { since: ['E1', 1], on }), await read(unused, { on })];
    await on.config('SET', 'maxmemory', '0');
    expect(kept).toMatchObject({ whole: 1, offsets: [2, 3] });
    expect(empty).toMatchObject({ epoch: expect.stringMatching(/^~/), head: 0, whole: 1 });
  });

  async function stateOf(room: string) {
    const keys = (await on.keys('*')).sort();
    return { keys, meta: await on.hgetall(keysOf(room).meta), length: await on.xlen(keysOf(room).log) };
  }

  async function listen(room: string): Promise<() => string[]> {
    const heard: string[] = [];
    const listener = on.duplicate({ lazyConnect: true });
    await listener.connect();
    listener.on('message', (_channel, text) => heard.push(text));
    await listener.subscribe(keysOf(room).channel);
    open.push(async () => listener.disconnect());
    return () => heard;
  }
});

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

describe('the window of ids', () => {
  test('a repeat within it is answered; behind it the id is a new message', async () => {
    const room = newRoom();
    const first = await append(room, { id: 'a', idWindowMs: 300 });
    expect(await append(room, { id: 'a', idWindowMs: 300 })).toEqual([first[0], 1, 1]);
    await eventually(
      'the window to end',
      async () => (await redis.exists(keysOf(room).id('ann', 'a'))) === 0,
    );
    expect(await append(room, { id: 'a', idWindowMs: 300 })).toEqual([first[0], 2, 0]);
  });

  test('a repeat does not extend it', async () => {
    const room = newRoom();
    await append(room, { id: 'a', idWindowMs: 60_000 });
    await delay(30);
    await append(room, { id: 'a', idWindowMs: 60_000 });
    expect(await redis.pttl(keysOf(room).id('ann', 'a'))).toBeLessThanOrEqual(59_970);
  });
});

describe('ages', () => {
  test('log, meta and id key each go away by themselves', async () => {
    const room = newRoom();
    await append(room, { id: 'a', maxAgeMs: 100_000, metaAgeMs: 500_000, idWindowMs: 50_000 });
    const { log, meta, id } = keysOf(room);
    await expectAge(log, 125_000);
    await expectAge(meta, 500_000);
    await expectAge(id('ann', 'a'), 50_000);
  });

  test('they are set anew once a quarter of the log age has gone by', async () => {
    const room = newRoom();
    const { log } = keysOf(room);
    await append(room, { maxAgeMs: 100_000 });
    await redis.pexpire(log, 1_000);
    await append(room, { maxAgeMs: 100_000 });
    expect(await redis.pttl(log)).toBeLessThanOrEqual(1_000);
    const aged = Number(await redis.hget(keysOf(room).meta, 'aged'));
    await redis.hset(keysOf(room).meta, 'aged', aged - 26_000);
    await append(room, { maxAgeMs: 100_000 });
    await expectAge(log, 125_000);
  });

  test('a log that went away with its age gets one again with its next entry', async () => {
    const room = newRoom();
    const { log, meta } = keysOf(room);
    await append(room, { maxAgeMs: 400 });
    await eventually('the log to go', async () => (await redis.exists(log)) === 0);
    expect(await redis.exists(meta)).toBe(1);
    expect((await append(room, { maxAgeMs: 400 }))[1]).toBe(2);
    expect(await redis.pttl(log)).not.toBe(-1);
  });

  test('reading keeps the meta of a room with messages', async () => {
    const room = newRoom();
    await append(room);
    await redis.pexpire(keysOf(room).meta, 1_000);
    await read(room);
    await expectAge(keysOf(room).meta, 700_000);
  });

  async function expectAge(key: string, age: number): Promise<void> {
    const left = await redis.pttl(key);
    expect(left).toBeLessThanOrEqual(age);
    expect(left).toBeGreaterThan(age - 20_000);
  }
});

describe('a foreign type at a key', () => {
  test('at the log: refused, and no id key answers for what was never written', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1' });
    await redis.del(keysOf(room).log);
    await redis.set(keysOf(room).log, 'not a stream');
    await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
    expect(await redis.exists(keysOf(room).id('ann', 'a'))).toBe(0);
    await redis.del(keysOf(room).log);
    expect(await append(room, { id: 'a' })).toEqual(['E1', 2, 0]);
  });

  test('at the log, after a failover: refused, and the epoch stays', async () => {
    const room = newRoom();
    await append(room, { epoch: 'E1' });
    await redis.set(keysOf(room).log, 'not a stream');
    await changeReplicationId();
    await expect(append(room, { epoch: 'E2', id: 'a' })).rejects.toThrow(/WRONGTYPE/);
    expect(withoutTimes(await redis.hget(keysOf(room).meta, 'epoch'))).toBe('E1');
  });

  test.each(['meta', 'log'] as const)(
    'at the %s of an unused room: an error, and nothing written',
    async (key) => {
      const room = newRoom();
      await redis.set(keysOf(room)[key], 'foreign');
      const before = await redis.keys(`${keysOf(room).channel}:*`);
      await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
      expect(await redis.keys(`${keysOf(room).channel}:*`)).toEqual(before);
    },
  );

  test('at the id key: an error, and nothing written', async () => {
    const room = newRoom();
    await redis.hset(keysOf(room).id('ann', 'a'), 'foreign', 1);
    await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
    expect(await redis.exists(keysOf(room).log)).toBe(0);
  });
});

describe('offsets beyond 1e14', () => {
  test('are whole digits in the reply, the entry, the message, the id key and the meta', async () => {
    const room = newRoom();
    const { meta, id, channel } = keysOf(room);
    await append(room, { epoch: 'E1' });
    await redis.hset(meta, 'head', '900000000000000');
    const listener = redis.duplicate({ lazyConnect: true });
    open.push(async () => listener.disconnect());
    await listener.connect();
    const heard: string[] = [];
    listener.on('message', (_channel, text) => heard.push(text));
    await listener.subscribe(channel);

    expect(await append(room, { id: 'a' })).toEqual(['E1', 900000000000001, 0]);
    expect(await append(room, { id: 'a' })).toEqual(['E1', 900000000000001, 1]);
    expect((await entriesOf(room)).at(-1)).toMatchObject({
      offset: 900000000000001,
      message: { offset: 900000000000001 },
    });
    expect(withoutTimes(await redis.get(id('ann', 'a')))).toBe('E1:900000000000001');
    expect(await redis.hget(meta, 'head')).toBe('900000000000001');
    await eventually('the message', () => heard.length > 0);
    expect(withoutTimes(heard[0] as string)).toMatch(/^E1:900000000000001:\{"room":/);
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

describe('a room without messages', () => {
  test('leaves nothing by being read, and its position stays good: the first message follows it', async () => {
    const room = newRoom();
    const { dataSince } = keysOf(room);
    await read(room);
    const before = (await redis.keys('*')).length;
    const first = await read(newRoom());
    const { epoch } = await read(room);
    expect((await redis.keys('*')).length).toBe(before);
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
  const announce = async (room: string, tag: string, count: number) => {
    const { meta, log, channel } = keysOf(room);
    const reply = await redis.eval(
      announceScript,
      2,
      meta,
      log,
      channel,
      tag,
      count,
      700_000,
      '!{"kind":"loss"}',
    );
    const [epoch, head] = reply as [string, number];
    epochs.set(`${room} ${tag}`, epoch);
    return [withoutTimes(epoch), head];
  };

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
    const since = (offset: number) => ({ since: ['E1', offset] as Place });
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

test('what others have put into a log is no message, and ends nothing', async () => {
  const room = newRoom();
  const { log } = keysOf(room);
  await append(room, { epoch: 'E1' });
  for (let n = 2; n < 50; n += 1) await redis.xadd(log, `${n}-0`, 'foreign', 'x');
  expect(await append(room)).toEqual(['E1', 50, 0]);
  expect(await read(room, { since: ['E1', 0] })).toMatchObject({ offsets: [1, 50], whole: 0, lost: 48 });
  for (let n = 0; n < 20; n += 1) await append(room, { rest: `"body":"${'x'.repeat(70_000)}"}` });
  expect((await read(room, { since: ['E1', 69] })).offsets).toEqual([70]);
});
