import { Redis } from 'ioredis';
import { renderAcl } from '../../../../app/server/redis/acl.ts';
import { pubSubAcl } from '../../../../lib/aws/redis/backend-acl.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { eventually } from '../../../support/wait.ts';

let server: TestRedis;
const open: Redis[] = [];

function connect(): Redis {
  const redis = new Redis({ port: server.port, username: 'hub', password: 'x', retryStrategy: null });
  redis.on('error', () => undefined);
  open.push(redis);
  return redis;
}

beforeAll(async () => {
  // Redis 7.0 knows no `client|setinfo`; Valkey, which the stack deploys, does.
  const rules = renderAcl(pubSubAcl('hub:'))
    .split(' ')
    .filter((rule) => rule !== '+client|setinfo');
  server = await startRedis([...['--user', 'default', 'off', '-@all'], ...['--user', 'hub', '>x', ...rules]]);
});

afterAll(async () => {
  for (const redis of open) redis.disconnect();
  await server.stop();
});

test('what one instance publishes on its channels, another hears', async () => {
  const [publisher, subscriber] = [connect(), connect()];
  const heard: string[] = [];
  subscriber.on('message', (_, message) => heard.push(message));
  await subscriber.subscribe('hub:socketio', '__Booksleeve_MasterChanged');
  await publisher.publish('hub:socketio', 'hello');
  await eventually('the message to arrive', () => heard.length > 0);
  expect(heard).toEqual(['hello']);
});

test.each([
  ['PUBLISH', 'other:socketio', ''],
  ['SUBSCRIBE', 'other:socketio'],
  ['SET', 'hub:key', '1'],
  ['EVAL', 'return 1', '0'],
  ['FLUSHALL'],
])('%s %s is denied', async (command, ...args) => {
  await expect(connect().call(command, ...args)).rejects.toThrow('NOPERM');
});
