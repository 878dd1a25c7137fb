import { Emitter } from '@socket.io/redis-emitter';
import { Redis } from 'ioredis';
import { environmentNames as names } from '../../../../app/names.ts';
import { readEnvironment } from '../../../../app/server/environment.ts';
import { bridgesAcl, renderAcl } from '../../../../app/server/redis/acl.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { spawnInstance, startInstance, untilLogged } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';
import { BridgedService } from './bridged-service.ts';

const password = 'a-password-of-the-test';

/** The Redis that another program has: it evicts, as ElastiCache's default does, and has a user for the bridges. */
const startForeign = (channels: Parameters<typeof bridgesAcl>[0]) =>
  startRedis([
    ...['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru'],
    ...['--user', 'default', 'off', '-@all'],
    ...['--user', 'bridges', `>${password}`, ...renderAcl(bridgesAcl(channels)).split(' ')],
    ...['--user', 'admin', 'on', '>admin', '~*', '&*', '+@all'],
  ]);
const urlOf = ({ port }: TestRedis, user = 'bridges', secret = password) =>
  `redis://${user}:${secret}@127.0.0.1:${port}`;

const bridged = {
  [names.pythonSocketio]: '/=emit',
  [names.emitter]: '/=emit',
  [names.emitterPrefix]: 'mine',
};

test('on a Redis of others, whose user may do what the bridges do and no more', async () => {
  const foreign = await startForeign({ python: 'socketio', emitter: { prefix: 'mine', namespaces: ['/'] } });
  const service = await BridgedService.start({ ...bridged, [names.bridgesRedisUrl]: urlOf(foreign) }, 1);
  const admin = new Redis(urlOf(foreign, 'admin', 'admin'));
  const told: string[] = [];
  const listener = new Redis(urlOf(foreign, 'admin', 'admin'));
  listener.on('message', (_channel, text) => told.push(text));
  try {
    await listener.subscribe('socketio');
    const ada = await service.connectTo('demo');
    await eventually('both to arrive', async () => {
      new Emitter(admin, { key: 'mine' }).to('demo').emit('emitted', 1);
      await admin.publish('socketio', '{"method":"emit","event":"python","data":[1],"binary":false}');
      return new Set(ada.heard.map(([event]) => event)).size === 2;
    });
    await ada.socket.emitWithAck('publish', { room: 'demo', body: 1 });
    await eventually('Python to be told', () => told.some((text) => text.includes('"event":"message"')));
    expect(await admin.call('ACL', 'LOG')).toEqual([]);
    expect(await admin.dbsize()).toBe(0);
  } finally {
    admin.disconnect();
    listener.disconnect();
    await service.stop();
    await foreign.stop();
  }
});

test('a permission that is missing stands in the log, and the service serves all the same', async () => {
  const [own, foreign] = [await startRedis(), await startForeign({ python: 'another' })];
  const instance = await startInstance('i', {
    [names.redisUrl]: own.url,
    [names.mainHub]: 'true',
    ...bridged,
    [names.bridgesRedisUrl]: urlOf(foreign),
  });
  try {
    await untilLogged(instance, 'a bridge can not hear its channels');
    await untilLogged(instance, 'NOPERM');
    expect(instance.output()).not.toContain(password);
  } finally {
    await instance.kill('SIGKILL');
    await Promise.all([own.stop(), foreign.stop()]);
  }
});

test('a namespace that is no hub ends the start, with the names of those that are', async () => {
  const instance = await spawnInstance('i', {
    [names.redisUrl]: 'redis://127.0.0.1:1',
    [names.emitter]: '/=emit',
  });
  expect(await instance.ended()).toBe(1);
  expect(instance.output()).toContain(
    "EMITTER names /, which is no hub's namespace: name one of /llm, /chat, /bots, /backtests, /fleet, or set MAIN_HUB=true",
  );
});

test('without Redis nothing is bridged, and that is said', async () => {
  const instance = await startInstance('i', { [names.redisUrl]: 'none', [names.emitter]: '/chat=emit' });
  expect(instance.output()).toContain(
    'bridges: none (REDIS_URL is `none`); what other programs emit is not heard',
  );
  await instance.kill('SIGKILL');
});

test.each([
  ['/', 'PYTHON_SOCKETIO must list namespaces'],
  ['chat=emit', 'PYTHON_SOCKETIO must list namespaces'],
  ['/chat=emit,/chat=publish', 'PYTHON_SOCKETIO must list namespaces, each once'],
  ['/chat=relay', 'with `emit` or `publish`: /=emit,/bots=publish, got: /chat=relay'],
])('%s is no list of namespaces', (text, wrong) => {
  expect(() => readEnvironment({ AUTH: 'none', PYTHON_SOCKETIO: text })).toThrow(wrong);
});
