import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import {
  alone,
  assertAvailable,
  assertConnected,
  availableRedis,
  loggedReason,
  RedisAwayError,
} from '../../../../app/server/redis/access.ts';

const connection = { status: 'ready' } as unknown as Redis;
const access = (of: { connection?: Redis; isAvailable: boolean }) =>
  alone({ commands: { connection: of.connection }, available: () => of.isAvailable });

test('Redis is available where a connection stands and a message goes round', () => {
  const up = access({ connection, isAvailable: true });
  expect(availableRedis(up, 'key')).toBe(connection);
  expect(assertAvailable(up, 'key')).toBe(connection);
});

test.each([
  ['there is none', undefined],
  ['nobody knows which shard has it', { shardOf: () => undefined }],
  ['no connection stands', access({ isAvailable: true })],
  ['a server stalls', access({ connection, isAvailable: false })],
])('it is away where %s', (_case, down) => {
  expect(availableRedis(down, 'key')).toBeUndefined();
  expect(() => assertAvailable(down, 'key')).toThrow(RedisAwayError);
});

test('a connection stands though Redis stalls on it', () => {
  expect(assertConnected(access({ connection, isAvailable: false }), 'key')).toBe(connection);
  expect(() => assertConnected(access({ isAvailable: true }), 'key')).toThrow(RedisAwayError);
});

test('nothing else in the service decides whether Redis is away', () => {
  const folder = 'app/server';
  const own = ['redis/access.ts', 'redis/shards.ts'];
  const guards = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !own.includes(file))
    .filter((file) =>
      /\.available\(\)|Error\(['`]Redis is away/.test(readFileSync(join(folder, file), 'utf8')),
    );
  expect(guards).toEqual([]);
});

test.each([
  ['Command timed out', 'Error'],
  ['CLUSTERDOWN The cluster is down', 'ReplyError'],
])('the log gets the words of an outage alone: %s', (message, name) => {
  expect(loggedReason(Object.assign(new Error(message), { name }))).toEqual({ reason: message });
});

test('the log gets a fault of ours with its stack', () => {
  const fault = Object.assign(new Error("CROSSSLOT Keys in request don't hash to the same slot"), {
    name: 'ReplyError',
  });
  expect(loggedReason(fault)).toEqual({ err: fault });
});
