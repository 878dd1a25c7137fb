import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { Script } from '../../../../app/server/redis/script.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';

/**
 * Scripts are sent as commands of our own, which ioredis takes for its own. When this fails after an upgrade: read what
 * `sendCommand` and the handler of replies ask of a command, then change the version here.
 */
test('ioredis is the version that the command was read for', () => {
  const lockfile = readFileSync(join(import.meta.dirname, '../../../../app/package-lock.json'), 'utf8');
  expect(JSON.parse(lockfile).packages['node_modules/ioredis'].version).toBe('6.0.0');
});

let server: TestRedis;
let redis: Redis;
beforeEach(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
});
afterEach(async () => {
  redis.disconnect();
  server.process.kill('SIGCONT');
  await server.stop();
});

const echo = new Script('return { KEYS[1], ARGV, #ARGV, false, { { ARGV[1] } } }');

test('text of every kind comes back as it was sent, many at once in their order', async () => {
  const values = ['', 'é', '💬', '\r\n$3\r\n', 'x'.repeat(100_000), 1.5, -3];
  const sent = Array.from({ length: 50 }, (_, n) => echo.run(redis, [`key-${n}`], [n, ...values]));
  const texts = values.map(String);
  for (const [n, reply] of (await Promise.all(sent)).entries())
    expect(reply).toEqual([`key-${n}`, [String(n), ...texts], 8, null, [[String(n)]]]);
});

test('among commands of ioredis each gets its own answer', async () => {
  const answers = await Promise.all([redis.ping('1'), echo.run(redis, ['k'], ['2']), redis.ping('3')]);
  expect(answers).toEqual(['1', ['k', ['2'], 1, null, [['2']]], '3']);
});

test("a script's error is a reply, and the next one is answered", async () => {
  const failing = new Script("return redis.error_reply('OOM it is full')");
  await expect(failing.run(redis, [], [])).rejects.toMatchObject({
    name: 'ReplyError',
    message: 'OOM it is full',
  });
  expect(await echo.run(redis, ['k'], ['1'])).toBeDefined();
});

test('a server that forgot the script gets it again', async () => {
  await echo.run(redis, ['k'], ['1']);
  await redis.script('FLUSH');
  expect(await echo.run(redis, ['k'], ['1'])).toBeDefined();
});

test('a server that does not answer is no reply', async () => {
  const impatient = await connectRedis(server.port, { commandTimeout: 300 });
  server.process.kill('SIGSTOP');
  const error = await echo.run(impatient, ['k'], ['1']).catch((fault: Error) => fault);
  impatient.disconnect();
  expect(error).toMatchObject({ name: 'Error', message: 'Command timed out' });
});

test('nor is one that ends meanwhile, or has ended', async () => {
  await echo.run(redis, ['k'], ['1']);
  server.process.kill('SIGSTOP');
  const underWay = echo.run(redis, ['k'], ['1']).catch((fault: Error) => fault);
  redis.disconnect();
  const late = echo.run(redis, ['k'], ['1']).catch((fault: Error) => fault);
  for (const error of [await underWay, await late]) {
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).name).not.toBe('ReplyError');
  }
});
