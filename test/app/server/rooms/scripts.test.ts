import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Redis } from 'ioredis';
import type { RedisLink } from '../../../../app/server/redis/link.ts';
import { scriptText } from '../../../../app/server/redis/script.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';
import { messageHead } from '../../../../app/server/rooms/packet.ts';
import { linkTo } from '../../../support/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis.ts';
import { eventually } from '../../../support/wait.ts';

/** The scripts as Redis runs them: arguments in, reply out, and what stands in the keys afterwards. */

const folder = join(import.meta.dirname, '../../../../app/server/rooms/scripts');
const appendScript = scriptText(pathToFileURL(join(folder, 'append.lua')));
const readScript = scriptText(pathToFileURL(join(folder, 'read.lua')));

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
  /** The epoch that the script may use if it must make one. */
  epoch?: string;
  id?: string;
  rest?: string;
  maxAgeMs?: number;
  metaAgeMs?: number;
  idWindowMs?: number;
  on?: Redis;
}

type Appended = [epoch: string, offset: number, repeated: 0 | 1];

/** Offers a new epoch at each append, as the service does. */
async function append(room: string, options: Append = {}): Promise<Appended> {
  const keys = keysOf(room);
  const named = options.id === undefined ? [] : [keys.id('ann', options.id)];
  count += 1;
  const args = [
    keys.channel,
    options.epoch ?? `offered${count}`,
    '42/chat,["message",',
    messageHead(room),
    options.rest ?? '"body":0}',
    1_000,
    1_000_000,
    options.maxAgeMs ?? 600_000,
    options.metaAgeMs ?? 700_000,
    options.idWindowMs ?? 120_000,
  ];
  const on = options.on ?? redis;
  const all = [keys.meta, keys.log, ...named];
  return (await on.eval(appendScript, all.length, ...all, ...args)) as Appended;
}

type Place = [epoch: string, offset: number];

interface Read {
  since?: Place;
  acked?: Place;
  epoch?: string;
}

async function read(room: string, { since, acked, epoch = 'unused' }: Read = {}) {
  const { meta, log } = keysOf(room);
  const [at, sure] = [since ?? ['', 0], acked ?? ['', 0]];
  const answer = await redis.eval(readScript, 2, meta, log, epoch, 700_000, ...at, ...sure, 1, 200, 256_000);
  const [now, head, whole, lost, ackedKept, end, more, ...messages] = answer as [string, ...unknown[]];
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

async function entriesOf(room: string): Promise<{ offset: number; message: Record<string, unknown> }[]> {
  const entries = await redis.xrange(keysOf(room).log, '-', '+');
  return entries.map(([id, fields]) => ({
    offset: Number(id.split('-')[0]),
    message: JSON.parse(fields[1] as string),
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
    const epochs = await redis.hget(keysOf(room).meta, 'epochs');
    const kept = Array.from({ length: 16 }, (_, index) => `E${index + 5} ${2 * (index + 4)}`);
    expect(epochs).toBe(kept.join(' '));
    for (let n = 5; n <= 20; n += 1) {
      const end = 2 * n;
      expect(await read(room, { since: [`E${n}`, end - 1] })).toMatchObject({ whole: 1, lost: 0 });
      expect((await read(room, { since: [`E${n}`, end] })).offsets).toEqual(rangeOf(end + 1, 40));
      // One beyond the end was lost; what came after it is given.
      const beyond = await read(room, { since: [`E${n}`, end + 1], acked: [`E${n}`, end + 1] });
      expect(beyond).toMatchObject({ whole: 0, lost: 1, ackedKept: 0, offsets: rangeOf(end + 1, 40) });
      expect((await read(room, { acked: [`E${n}`, end] })).ackedKept).toBe(1);
    }
    // The oldest are forgotten: nothing relates them to this log.
    expect(await read(room, { since: ['E4', 8] })).toMatchObject({ whole: 0, lost: -1, offsets: [] });
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
    expect(await append(room, { epoch: 'E2' })).toEqual(['E2', 4, 0]);
    expect(await redis.hget(keysOf(room).meta, 'epochs')).toBe('E2 3');
    expect(await read(room, { since: ['E1', 3] })).toMatchObject({ whole: 0, lost: -1, end: 4 });
  });

  test('the meta is gone and the room is read first: what stood there is not given as new', async () => {
    const room = newRoom();
    for (let n = 0; n < 3; n += 1) await append(room, { epoch: 'E1' });
    await redis.del(keysOf(room).meta);
    const joined = await read(room, { epoch: 'E2' });
    expect(joined).toMatchObject({ epoch: 'E2', head: 3 });
    expect(await append(room)).toEqual(['E2', 4, 0]);
    expect((await read(room, { since: ['E2', 3] })).offsets).toEqual([4]);
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

  test('can be joined: the epoch is made by the first append that goes through', async () => {
    const { meta, log } = keysOf(newRoom());
    await on.config('SET', 'maxmemory', '1');
    const answer = await on.eval(readScript, 2, meta, log, 'E1', 1_000, '', 0, '', 0, 1, 200, 256_000);
    await on.config('SET', 'maxmemory', '0');
    expect(answer).toEqual(['E1', 0, 1, 0, 1, 0, 0]);
    expect(await on.exists(meta)).toBe(0);
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

  test('reading keeps the meta, and gives a room that nobody used one with an age', async () => {
    const room = newRoom();
    await read(room, { epoch: 'E1' });
    await expectAge(keysOf(room).meta, 700_000);
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
    expect(await redis.hget(keysOf(room).meta, 'epoch')).toBe('E1');
  });

  test.each(['meta', 'log'] as const)(
    'at the %s of an unused room: an error, and nothing written',
    async (key) => {
      const room = newRoom();
      await redis.set(keysOf(room)[key], 'foreign');
      const before = await redis.dbsize();
      await expect(append(room, { id: 'a' })).rejects.toThrow(/WRONGTYPE/);
      expect(await redis.dbsize()).toBe(before);
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
    expect(await redis.get(id('ann', 'a'))).toBe('E1:900000000000001');
    expect(await redis.hget(meta, 'head')).toBe('900000000000001');
    await eventually('the message', () => heard.length > 0);
    expect(heard[0]).toMatch(/^E1:900000000000001:42/);
    expect(await read(room, { since: ['E1', 900000000000000] })).toMatchObject({
      head: 900000000000001,
      whole: 1,
      offsets: [900000000000001],
    });
    await changeReplicationId();
    await append(room, { epoch: 'E2' });
    expect((await entriesOf(room)).at(-1)?.message.prev).toEqual({ epoch: 'E1', offset: 900000000000001 });
    expect(await redis.hget(meta, 'epochs')).toBe('E1 0 E2 900000000000001');
  });
});
