import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { NamedScript } from '../../../../app/server/redis/script.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const text = `
local first, second, last = unpack(KEYS)
local one, two = unpack(ARGV, 1, 2)
return { first, second, last or 'none', one, two, #ARGV, ARGV[3] or 'none' }
`;
const script = new NamedScript(
  { keys: ['first', 'second'], optionalKey: 'last', args: ['one', 'two'] },
  text,
);

test('what a script is given stands under the names that its caller used, in whatever order', async () => {
  const run = () => script.run(redis, { second: 'b', first: 'a', last: 'c' }, { two: 2, one: 1 }, ['more']);
  expect(await run()).toEqual(['a', 'b', 'c', '1', '2', 3, 'more']);
  // By its hash the second time.
  expect(await run()).toEqual(['a', 'b', 'c', '1', '2', 3, 'more']);
});

test('the optional key may be absent', async () => {
  expect(await script.run(redis, { first: 'a', second: 'b' }, { one: 1, two: 2 })).toEqual([
    ...['a', 'b', 'none', '1', '2', 2, 'none'],
  ]);
});

test.each([
  ['another order', ['second', 'first'], ['one', 'two'], /KEYS as its caller does \(second, first, last\)/],
  [
    'another name',
    ['first', 'second'],
    ['one', 'three'],
    /ARGV as its caller does \(one, three\), got: one, two/,
  ],
  ['one too few', ['first', 'second'], ['one'], /ARGV as its caller does \(one\), got: one, two/],
])('a script whose caller has %s can not be loaded', (_case, keys, args, fault) => {
  expect(() => new NamedScript({ keys, optionalKey: 'last', args }, text)).toThrow(fault);
});

test('a script that unpacks fewer than it names can not be loaded', () => {
  const short = 'local one, two = unpack(ARGV, 1, 1)\n';
  expect(() => new NamedScript({ keys: [], args: ['one', 'two'] }, short)).toThrow('got: 1 for one,two');
});

test('no script reads its parameters by number', () => {
  const folder = 'app/server';
  const scripts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.lua'),
  );
  expect(scripts.length).toBeGreaterThan(10);
  const numbered = scripts.filter((file) => /(KEYS|ARGV)\[\d/.test(readFileSync(join(folder, file), 'utf8')));
  expect(numbered).toEqual([]);
});
