import { Redis } from 'ioredis';
import { renderAcl } from '../../../../app/server/redis/acl.ts';
import { backendAcl } from '../../../../lib/aws/redis/backend-acl.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { eventually } from '../../../support/wait.ts';

let server: TestRedis;
const open: Redis[] = [];

function connect(): Redis {
  const redis = new Redis({ port: server.port, username: 'backend', password: 'x', retryStrategy: null });
  redis.on('error', () => undefined);
  open.push(redis);
  return redis;
}

beforeAll(async () => {
  // Redis 7.0 knows no `client|setinfo`; Valkey, which the stack deploys, does.
  const rules = renderAcl(backendAcl({ channels: ['socketio'], keyPrefix: 'backend:' }))
    .split(' ')
    .filter((rule) => rule !== '+client|setinfo');
  server = await startRedis([
    ...['--user', 'default', 'off', '-@all'],
    ...['--user', 'backend', '>x', ...rules],
  ]);
});

afterAll(async () => {
  for (const redis of open) redis.disconnect();
  await server.stop();
});

test('instances hear each other, and share sessions, counters and hashes with ages', async () => {
  const [one, other] = [connect(), connect()];
  const heard: string[] = [];
  other.on('message', (_, message) => heard.push(message));
  await other.subscribe('socketio');
  await one.publish('socketio', 'hello');
  await eventually('the message to arrive', () => heard.length > 0);

  await one.set('backend:session:ada', '{}', 'EX', 60);
  await one.multi().hset('backend:cache:prices', 'BTC', '1').expire('backend:cache:prices', 60).exec();
  await one.incr('backend:visits');
  expect(await one.mget('backend:session:ada', 'backend:visits')).toEqual(['{}', '1']);
  expect(await one.hgetall('backend:cache:prices')).toEqual({ BTC: '1' });
});

test.each([
  ['GET', 'realtime-dev:room'],
  ['SET', 'backend', '1'],
  ['PUBLISH', 'realtime-dev:room', ''],
  ['SUBSCRIBE', 'socketio-of-another'],
  ['SCAN', '0'],
  ['KEYS', 'backend:*'],
  ['EVAL', 'return 1', '0'],
  ['FLUSHALL'],
])('%s %s is denied', async (command, ...args) => {
  await expect(connect().call(command, ...args)).rejects.toThrow('NOPERM');
});

test.each([
  [{ channels: ['socketio'], keyPrefix: '' }, '""'],
  [{ channels: ['*'], keyPrefix: 'backend:' }, '""'],
  [{ channels: ['socketio'], keyPrefix: '*' }, '"*"'],
  [{ channels: ['socketio'], keyPrefix: 'backend: +@all ~' }, '"backend: +@all ~"'],
])('%j is refused, for it would open more', (props, got) => {
  expect(() => backendAcl(props)).toThrow(`got: ${got}`);
});
