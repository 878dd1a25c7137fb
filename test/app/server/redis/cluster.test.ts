import type { Redis } from 'ioredis';
import { RedisAwayError } from '../../../../app/server/redis/access.ts';
import { Redirects } from '../../../../app/server/redis/cluster/redirects.ts';
import { mapOfMost, remarksOn, type SlotMap } from '../../../../app/server/redis/cluster/slot-map.ts';
import { eventually } from '../../../support/wait.ts';

const whole: SlotMap = [
  { first: 0, last: 8_191, address: 'a:1', replicas: 1 },
  { first: 8_192, last: 16_383, address: 'b:1', replicas: 1 },
];

describe('the map of the slots', () => {
  test('is what most servers say: one that was cut off says what was', () => {
    const old: SlotMap = [{ first: 0, last: 16_383, address: 'a:1', replicas: 1 }];
    expect(mapOfMost([old, whole, whole])).toEqual(whole);
    expect(mapOfMost([old])).toEqual(old);
    expect(mapOfMost([])).toBeUndefined();
  });

  test('says what is missing: owners of slots, and replicas', () => {
    expect(remarksOn(whole)).toEqual([]);
    const [first] = whole as [SlotMap[number]];
    expect(remarksOn([{ ...first, replicas: 0 }])).toEqual([
      expect.stringContaining('8192 slots of the cluster have no owner'),
      expect.stringContaining('the shard at a:1 has no replica'),
    ]);
  });
});

describe('a command whose keys are elsewhere', () => {
  const origin = { status: 'ready', options: { host: 'here' } } as unknown as Redis;

  function follow(message: string, more: { connection?: Redis; sentAt?: number; from?: Redis } = {}) {
    const asked: string[] = [];
    const sentTo: unknown[] = [];
    const refusals: Error[] = [];
    const redirects = new Redirects({
      connectionTo: (address) => {
        asked.push(address);
        return more.connection;
      },
      moved: (slot, address) => asked.push(`moved ${slot} ${address}`),
      movingAway: (slot) => asked.push(`moving ${slot}`),
      refresh: async () => void asked.push('refresh'),
    });
    const command = {
      origin: more.from ?? origin,
      hops: 0,
      sentAt: more.sentAt ?? performance.now(),
      sendTo: (connection: Redis) => sentTo.push(connection),
      refuse: (error: Error) => refusals.push(error),
    };
    return { isTaken: redirects.follow(command, new Error(message)), asked, sentTo, refusals };
  }

  test('is sent where the slot is', async () => {
    const connection = {} as Redis;
    const { isTaken, asked, sentTo } = follow('MOVED 7 there:6379', { connection });
    expect(isTaken).toBe(true);
    await eventually('it to be sent', () => sentTo.length === 1);
    expect(sentTo).toEqual([connection]);
    expect(asked).toEqual(['moved 7 there:6379', 'there:6379']);
  });

  test('is sent behind ASKING where the slot will be', async () => {
    const said: string[] = [];
    const connection = { asking: async () => void said.push('ASKING') } as unknown as Redis;
    const { sentTo, asked } = follow('ASK 7 there:6379', { connection });
    await eventually('it to be sent', () => sentTo.length === 1);
    expect([said, asked]).toEqual([['ASKING'], ['moving 7', 'there:6379']]);
  });

  test('a server that does not know its own name is the one that was asked', () => {
    expect(follow('MOVED 7 :6379', { connection: {} as Redis }).asked).toContain('here:6379');
  });

  test('is refused where nobody is to be asked: it ran nowhere', async () => {
    const ended = { status: 'end', options: {} } as unknown as Redis;
    const { refusals } = follow('TRYAGAIN Multiple keys request during rehashing of slot', { from: ended });
    await eventually('the refusal', () => refusals.length === 1);
    expect(refusals[0]).toBeInstanceOf(RedisAwayError);
  });

  test.each([
    'MOVED',
    'MOVED x',
    'MOVED 1 ?:0:1 x',
    'MOVED 1 no-port',
    'ASK 1',
    'ERR unknown command',
    'OOM command not allowed',
    'CLUSTERDOWN The cluster is down',
    'READONLY You can not write against a read only replica.',
  ])('keeps the server’s own error: %s', (message) => {
    expect(follow(message).isTaken).toBe(false);
  });

  test('is given up after two seconds of it', () => {
    expect(follow('MOVED 7 there:6379', { sentAt: performance.now() - 2_100 }).isTaken).toBe(false);
  });
});
