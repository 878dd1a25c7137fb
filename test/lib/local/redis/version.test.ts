import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisUsers, userLines } from '../../../../lib/local/redis/users.ts';
import { parseVersion, redisVersion } from '../../../../lib/local/redis/version.ts';
import { redisBinary } from '../../../support/redis/redis.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realtime-version-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(text: string): string {
  const file = join(folder, 'redis-server');
  writeFileSync(file, `#!/bin/sh\necho '${text}'\n`);
  chmodSync(file, 0o755);
  return file;
}

test('the one that is installed says its version', async () => {
  expect(await redisVersion(redisBinary)).toMatch(/^(Redis|Valkey) \d+\.\d+\.\d+$/);
});

test.each([
  [
    'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0',
    'Redis 7.0.15',
  ],
  ['Valkey server v=8.1.1 sha=00000000:0 malloc=libc bits=64 build=1', 'Valkey 8.1.1'],
  ['Server v=7.2.12 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=65f5b4bb2651ba8d', 'Valkey 7.2.12'],
  ['something else', undefined],
])('%s', (text, version) => {
  expect(parseVersion(text)).toBe(version);
});

test.each([
  ['Redis server v=6.0.16 sha=0', 'is Redis 6.0.16, and the service needs 7.0 or newer'],
  ['hello', 'prints no version, but: "hello"'],
])('a program that says %j is refused', async (text, fault) => {
  await expect(redisVersion(program(text))).rejects.toThrow(fault);
});

test('one that can’t be run is refused', async () => {
  await expect(redisVersion(join(folder, 'absent'))).rejects.toThrow("absent can't be run: ");
});

test.each([
  ['Redis 7.0.15', false],
  ['Redis 7.2.0', true],
  ['Valkey 8.1.1', true],
])('%s: whether a rule may name client|setinfo', (version, may) => {
  const lines = userLines(Object.values(redisUsers({ deployment: 'realtime', version })));
  expect(lines.join('\n').includes('+client|setinfo')).toBe(may);
});

test('each start has passwords of its own', () => {
  const passwords = [1, 2].flatMap(() =>
    Object.values(redisUsers({ deployment: 'realtime', version: 'Redis 7.0.15' })).map(
      (user) => user.password,
    ),
  );
  expect(new Set(passwords).size).toBe(6);
});
