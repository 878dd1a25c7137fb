import { DenyListError, MemoryDenyList } from '../../../../app/server/deny-list/deny-list.ts';
import { denyListKeys } from '../../../../app/server/deny-list/keys.ts';
import { RedisDenyList } from '../../../../app/server/deny-list/redis-deny-list.ts';
import { connectedRedis } from '../../../../app/server/redis/access.ts';
import { type Backplane, openBackplane } from '../../../../app/server/redis/backplane.ts';
import { TcpForwarder } from '../../../support/network/tcp-forwarder.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { testSideBySide } from '../../../support/side-by-side.ts';
import { eventually } from '../../../support/wait.ts';

type Closing = (() => unknown)[];

let server: TestRedis;
const opened: Closing = [];
beforeAll(async () => {
  server = await startRedis();
});
afterEach(async () => {
  await closeAll(opened);
  jest.restoreAllMocks();
});
afterAll(() => server.stop());

/** The last one first. */
async function closeAll(closing: Closing): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

const minute = 60_000;
let count = 0;

/** An instance of its own: its way to Redis, backplane and list. */
async function instance(deployment: string, { port } = server, closing = opened) {
  count += 1;
  const way = await TcpForwarder.open(() => [port]);
  closing.push(() => way.close());
  const sources = { url: `redis://127.0.0.1:${way.port}` };
  const backplane = await openBackplane({ sources, deployment, instance: `i${count}`, log: silent });
  closing.push(() => backplane.close());
  await eventually('the backplane', () => backplane.status === 'joined');
  const links = backplane.links as NonNullable<Backplane['links']>;
  const list = new RedisDenyList({ links, deployment, log: silent, lookEveryMs: 100 });
  closing.push(() => list.close());
  await eventually('the list to be known', () => list.isKnown);
  return { list, way, isUp: () => connectedRedis(links, '') !== undefined };
}

/** A Redis of its own, and what opens instances of one deployment on it. */
async function withRedis(
  run: (open: () => ReturnType<typeof instance>, redis: TestRedis) => Promise<void>,
): Promise<void> {
  const redis = await startRedis();
  const closing: Closing = [() => redis.stop()];
  try {
    await run(() => instance('own', redis, closing), redis);
  } finally {
    await closeAll(closing);
  }
}

const flush = ({ port } = server) => onRedis(port, (redis) => redis.flushall());
const all = (lists: readonly RedisDenyList[], entry: string, denied: boolean) =>
  eventually(`${entry} to be ${denied ? 'denied' : 'let in'} everywhere`, () =>
    lists.every((list) => list.denies(entry) === denied),
  );
/** Does Redis say that it is denied? */
const stands = (deployment: string, entry: string, { port } = server) =>
  onRedis(port, async (redis) =>
    /^[1-9]/.test((await redis.hget(denyListKeys(deployment).states, entry)) ?? '0'),
  );

test('what one instance denies, all know, also one that starts later; and so with what is lifted', async () => {
  const [{ list: one }, { list: two }] = [await instance('spread'), await instance('spread')];
  const denied: string[] = [];
  two.onDenied((entries) => denied.push(...entries));
  await one.deny('subject:eve', minute);
  expect(one.denies('subject:eve')).toBe(true);
  await all([two], 'subject:eve', true);
  await eventually('the handler', () => denied.length > 0);
  expect(denied).toEqual(['subject:eve']);
  const { list: late } = await instance('spread');
  expect(late.denies('subject:eve')).toBe(true);
  await two.lift('subject:eve');
  expect(two.denies('subject:eve')).toBe(false);
  await all([one, late], 'subject:eve', false);
  await one.deny('subject:eve', minute);
  await all([two, late], 'subject:eve', true);
});

test('it ends by itself, the longer time holds, and nothing stays in Redis for good', async () => {
  const { list } = await instance('aged');
  await list.deny('subject:a', 150);
  await list.deny('subject:b', minute);
  await list.deny('subject:b', 10);
  await eventually('the first to end', () => !list.denies('subject:a'));
  expect(list.denies('subject:b')).toBe(true);
  for (const key of keysOf('aged')) {
    const age = await onRedis(server.port, (redis) => redis.pttl(key));
    expect(age).toBeGreaterThan(10_000);
    expect(age).toBeLessThan(3 * minute);
  }
});

test('neither clocks that are apart nor one that is set ends anything early', async () => {
  const [{ list: one }, { list: two }] = [await instance('clocks'), await instance('clocks')];
  await one.deny('subject:before', 10 * minute);
  await all([two], 'subject:before', true);
  const now = Date.now();
  for (const hours of [2, -2]) {
    jest.spyOn(Date, 'now').mockReturnValue(now + hours * 3_600_000);
    await one.deny(`subject:${hours}`, 10 * minute);
    const { list: late } = await instance('clocks');
    for (const entry of ['subject:before', `subject:${hours}`]) await all([one, two, late], entry, true);
  }
  await flush();
  await eventually('it to stand again', () => stands('clocks', 'subject:before'));
});

describe('Redis loses what it had:', () => {
  test('FLUSHALL', async () => {
    const [{ list: one }, { list: two }] = [await instance('flushed'), await instance('flushed')];
    await one.deny('subject:eve', minute);
    await one.deny('subject:lifted', minute);
    await all([two], 'subject:lifted', true);
    await two.lift('subject:lifted');
    await all([one], 'subject:lifted', false);
    for (let times = 0; times < 3; times += 1) {
      await flush();
      await eventually('it to stand again', () => stands('flushed', 'subject:eve'));
      const { list: late } = await instance('flushed');
      expect(late.denies('subject:eve')).toBe(true);
      expect([one, two, late].some((list) => list.denies('subject:lifted'))).toBe(false);
    }
    await one.lift('subject:eve');
    await flush();
    await all([one, two], 'subject:eve', false);
  });

  test('a failover that lost the newest denial, or the newest lift', async () => {
    const [{ list: one }, { list: two }] = [await instance('failover'), await instance('failover')];
    await one.deny('subject:old', minute);
    await all([two], 'subject:old', true);
    const before = await dump('failover');
    await one.lift('subject:old');
    await one.deny('subject:new', minute);
    await all([two], 'subject:new', true);
    await all([two], 'subject:old', false);
    // What a replica has that had not heard of either yet.
    await restore(before);
    await eventually('both to be as they were said', async () => {
      return (await stands('failover', 'subject:new')) && !(await stands('failover', 'subject:old'));
    });
    const { list: late } = await instance('failover');
    expect([late.denies('subject:old'), late.denies('subject:new')]).toEqual([false, true]);
    expect([one.denies('subject:old'), two.denies('subject:old')]).toEqual([false, false]);
  });
});

const missesWhatHappened = (redisLosesIt: boolean) => () =>
  withRedis(async (open, redis) => {
    const [{ list: one }, { list: two, way, isUp }] = [await open(), await open()];
    for (const entry of ['subject:kept', 'subject:lifted', 'subject:again']) await one.deny(entry, minute);
    await all([two], 'subject:again', true);
    way.refuse(true);
    await eventually('it to be away', () => !isUp());
    await one.lift('subject:lifted');
    await one.lift('subject:again');
    await one.deny('subject:again', minute);
    await one.deny('subject:missed', minute);
    if (redisLosesIt) await flush(redis);
    // It holds to what it knew, and says that it can't say anything now.
    expect(two.denies('subject:lifted')).toBe(true);
    await expect(two.deny('subject:mallory', minute)).rejects.toThrow(DenyListError);
    await expect(two.lift('subject:kept')).rejects.toThrow('Redis is away');
    way.refuse(false);
    await all([two], 'subject:missed', true);
    await all([one, two], 'subject:lifted', false);
    for (const entry of ['subject:kept', 'subject:again']) await all([one, two], entry, true);
    const { list: late } = await open();
    expect(late.denies('subject:lifted')).toBe(false);
    expect(late.denies('subject:again')).toBe(true);
  });

describe('side by side:', () => {
  testSideBySide({
    'Redis lost more than one call takes, and several bring it back at once': () =>
      withRedis(async (open, redis) => {
        const lists = [await open(), await open(), await open()].map(({ list }) => list);
        const entries = Array.from({ length: 1_700 }, (_, n) => `subject:${n}`);
        await Promise.all(entries.map((entry) => lists[0]?.deny(entry, minute)));
        await eventually('all to know all', () =>
          entries.every((entry) => lists.every((list) => list.denies(entry))),
        );
        await flush(redis);
        const held = () => onRedis(redis.port, (client) => client.hlen(denyListKeys('own').states));
        await eventually('all of it to stand again', async () => (await held()) === entries.length);
        const { list: late } = await open();
        expect(entries.filter((entry) => !late.denies(entry))).toEqual([]);
      }),
    'thousands are denied at once: some looks at all connections, not thousands': () =>
      withRedis(async (open) => {
        const [{ list: one }, { list: two }] = [await open(), await open()];
        let looks = 0;
        const denied = new Set<string>();
        two.onDenied((entries) => {
          looks += 1;
          for (const entry of entries) denied.add(entry);
        });
        const entries = Array.from({ length: 5_000 }, (_, n) => `subject:${n}`);
        for (let at = 0; at < entries.length; at += 1_000) {
          await Promise.all(entries.slice(at, at + 1_000).map((entry) => one.deny(entry, minute)));
        }
        await eventually('all to be told', () => denied.size === entries.length);
        expect(looks).toBeLessThan(entries.length / 10);
      }),
    'an instance was away, and Redis knows what happened': missesWhatHappened(false),
    'an instance was away, and Redis has lost it meanwhile': missesWhatHappened(true),
    'nobody but one that was away knows of a denial that is lifted': () =>
      withRedis(async (open, redis) => {
        const { list: one, way, isUp } = await open();
        await one.deny('subject:eve', minute);
        way.refuse(true);
        await eventually('it to be away', () => !isUp());
        await flush(redis);
        const { list: two } = await open();
        await two.lift('subject:eve');
        way.refuse(false);
        await all([one, two], 'subject:eve', false);
        expect(await stands('own', 'subject:eve', redis)).toBe(false);
      }),
    'a subscription was cut while its commands went on': () =>
      withRedis(async (open) => {
        const [{ list: one }, { list: two, way }] = [await open(), await open()];
        way.swallow('toClient');
        await one.deny('subject:missed', minute);
        await all([two], 'subject:missed', true);
      }),
    'Redis was started anew without its data': () =>
      withRedis(async (open, first) => {
        const [{ list: one, isUp }, { list: two }] = [await open(), await open()];
        await one.deny('subject:eve', minute);
        await all([two], 'subject:eve', true);
        await first.stop();
        await eventually('it to be away', () => !isUp());
        expect(one.denies('subject:eve')).toBe(true);
        const redis = await startRedis([], first.port);
        try {
          await eventually('it to be back', isUp, 40_000);
          await eventually('it to stand again', () => stands('own', 'subject:eve', redis));
          const { list: late } = await open();
          expect(late.denies('subject:eve')).toBe(true);
          await late.lift('subject:eve');
          await all([one, two], 'subject:eve', false);
        } finally {
          await redis.stop();
        }
      }),
  });
});

test('until the list was read nobody knows who is denied, and that is said', async () => {
  const way = await TcpForwarder.open(() => [server.port]);
  way.refuse(true);
  opened.push(() => way.close());
  const backplane = await openBackplane({
    sources: { url: `redis://127.0.0.1:${way.port}` },
    deployment: 'unknown',
    instance: 'unknown',
    log: silent,
  });
  opened.push(() => backplane.close());
  const links = backplane.links as NonNullable<Backplane['links']>;
  const open = (servesAlone: boolean) => {
    const list = new RedisDenyList({ links, deployment: 'unknown', servesAlone, log: silent });
    opened.push(() => list.close());
    return list;
  };
  const [required, preferred] = [open(false), open(true)];
  expect([required.isKnown, preferred.isKnown]).toEqual([false, true]);
  way.refuse(false);
  await eventually('it to be known', () => required.isKnown && preferred.isKnown);
  way.refuse(true);
  await eventually('Redis to be away', () => connectedRedis(links, '') === undefined);
  expect(required.isKnown).toBe(true);
});

test('what is none of its messages changes nothing and ends nothing', async () => {
  const { list } = await instance('foreign');
  const foreign = [
    '',
    ':',
    '0:1',
    `${'9'.repeat(400)}:1:1:1:1:1:1:x`,
    '1:2:3:a:b:c:d:x',
    '\u0000',
    '{"a":1}',
  ];
  await onRedis(server.port, async (redis) => {
    for (const payload of foreign) await redis.spublish(denyListKeys('foreign').channel, payload);
    await redis.hset(denyListKeys('foreign').states, 'subject:odd', 'not a state');
    await redis.set(denyListKeys('foreign').version, 'not a version');
  });
  await list.deny('subject:eve', minute);
  expect(list.denies('subject:eve')).toBe(true);
  expect(list.denies('x')).toBe(false);
  const { list: late } = await instance('foreign');
  expect(late.denies('subject:eve')).toBe(true);
});

test('an instance that is alone keeps the same', async () => {
  const list = new MemoryDenyList();
  const denied: string[] = [];
  list.onDenied((entries) => denied.push(...entries));
  await list.deny('subject:eve', minute);
  await list.deny('subject:brief', 1);
  expect(list.denies('subject:eve')).toBe(true);
  await eventually('the brief one to end', () => !list.denies('subject:brief'));
  await list.lift('subject:eve');
  expect(list.denies('subject:eve')).toBe(false);
  await list.deny('subject:eve', minute);
  expect(list.denies('subject:eve')).toBe(true);
  await eventually('the handler', () => denied.includes('subject:eve'));
});

function keysOf(deployment: string): string[] {
  const { states, ends, version } = denyListKeys(deployment);
  return [states, ends, version];
}

type Dumped = readonly (readonly [key: string, content: Buffer])[];

const dump = (deployment: string): Promise<Dumped> =>
  onRedis(server.port, (redis) =>
    Promise.all(
      keysOf(deployment).map(async (key) => [key, (await redis.dumpBuffer(key)) as Buffer] as const),
    ),
  );

const restore = (dumped: Dumped) =>
  onRedis(server.port, async (redis) => {
    const transaction = redis.multi();
    for (const [key, content] of dumped) transaction.restore(key, 0, content, 'REPLACE');
    await transaction.exec();
  });
