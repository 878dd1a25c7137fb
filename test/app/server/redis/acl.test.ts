import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { io, type Socket } from 'socket.io-client';
import { environmentNames } from '../../../../app/names.ts';
import { type AclRules, renderAcl, serviceAcl } from '../../../../app/server/redis/acl.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import {
  readiness,
  spawnInstance,
  startInstance,
  type TestInstance,
} from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

const deployment = 'here';
const password = 'a-password-of-the-test';
const server = 'app/server';

const lines = readdirSync(server, { recursive: true, encoding: 'utf8' });
const scripts = lines.filter((file) => file.endsWith('.lua'));

test('every command of a script is allowed', () => {
  const { commands } = serviceAcl(deployment);
  const allowed = commands.map((command) => command.split('|')[0]);
  const used = scripts.flatMap((file) =>
    [...readFileSync(join(server, file), 'utf8').matchAll(/redis\.p?call\(\s*['"](\w+)['"]/g)].map(
      ([, command]) => `${command?.toLowerCase()}`,
    ),
  );
  expect(used.length).toBeGreaterThan(10);
  expect([...new Set(used)].filter((command) => !allowed.includes(command))).toEqual([]);
});

test('keys and channels are those of the deployment, and commands are named one by one', () => {
  const rules = renderAcl(serviceAcl(deployment));
  expect(rules).toMatch(/^on ~here:\* &here:\* -@all( \+[a-z]+(\|[a-z]+)?)+$/);
});

/** A server as the stack makes it: a user for the service, `default` off. */
const startGuarded = (rules: AclRules) =>
  startRedis([
    ...['--user', 'default', 'off', '-@all'],
    ...['--user', 'app', `>${password}`, ...renderAcl(rules).split(' ')],
    ...['--user', 'admin', 'on', '>admin', '~*', '&*', '+@all'],
  ]);

const settingOf = ({ port }: TestRedis) => ({
  [environmentNames.redisConnectionString]: `127.0.0.1:${port},user=app,password=${password}`,
  [environmentNames.deployment]: deployment,
});

async function asUser<T>(
  { port }: TestRedis,
  username: string,
  secret: string,
  run: (redis: Redis) => Promise<T>,
) {
  const redis = new Redis({ port, username, password: secret, retryStrategy: null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  try {
    return await run(redis);
  } finally {
    redis.disconnect();
  }
}

describe('a server with this user alone', () => {
  let redis: TestRedis;
  let instances: TestInstance[];

  beforeAll(async () => {
    redis = await startGuarded(serviceAcl(deployment));
    instances = await Promise.all(['one', 'two'].map((id) => startInstance(id, settingOf(redis))));
  });

  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.kill('SIGTERM')));
    await redis.stop();
  });

  test('the service joins, messages go from instance to instance, and nothing that it asks is denied', async () => {
    const sockets = instances.map(({ url }) =>
      io(`${url}/chat`, { transports: ['websocket'], forceNew: true }),
    );
    try {
      const received = sockets.map((socket) => messagesOf(socket));
      for (const socket of sockets)
        expect(await socket.timeout(60_000).emitWithAck('join', { room: 'acl' })).toMatchObject({ ok: true });
      for (const [index, socket] of sockets.entries())
        expect(
          await socket
            .timeout(60_000)
            .emitWithAck('publish', { room: 'acl', id: `m${index}`, body: { index } }),
        ).toMatchObject({ ok: true });
      await eventually('both to have both messages', () =>
        received.every((messages) => messages.length === 2),
      );
    } finally {
      for (const socket of sockets) socket.close();
    }
    expect(await denials(redis)).toEqual([]);
  });

  test('an answer streams to the members, who see each other, and nothing that takes is denied', async () => {
    const [asker, reader] = instances.map(({ url }) =>
      io(`${url}/llm`, { transports: ['websocket'], forceNew: true }),
    ) as [Socket, Socket];
    const ask = (socket: Socket, event: string, request: object) =>
      socket.timeout(60_000).emitWithAck(event, request);
    try {
      const received = messagesOf(reader);
      for (const socket of [asker, reader])
        expect(await ask(socket, 'join', { room: 'acl' })).toMatchObject({ ok: true });
      const asked = await ask(asker, 'ask', { room: 'acl', id: 'one', prompt: 'What may I do?' });
      expect(asked).toMatchObject({ ok: true });
      await eventually('the answer to arrive', () => received.length > 1);
      await ask(asker, 'cancel', { turn: asked.turn });
    } finally {
      asker.close();
      reader.close();
    }
    const chat = io(`${instances[0]?.url}/chat`, { transports: ['websocket'], forceNew: true });
    try {
      await ask(chat, 'join', { room: 'acl' });
      expect(await ask(chat, 'presence', { room: 'acl' })).toMatchObject({ ok: true });
      await ask(chat, 'leave', { room: 'acl' });
    } finally {
      chat.close();
    }
    expect(await denials(redis)).toEqual([]);
  });

  test.each([
    [['FLUSHALL']],
    [['CONFIG', 'GET', '*']],
    [['KEYS', '*']],
    [['ACL', 'LIST']],
    [['CLIENT', 'LIST']],
    [['SCRIPT', 'FLUSH']],
    [['MONITOR']],
    [['GET', 'elsewhere:key']],
    [['SET', 'hereafter', '1']],
    [['SPUBLISH', 'elsewhere:room', '']],
    [['SSUBSCRIBE', 'elsewhere:room']],
    [['PUBLISH', 'acl:room', '']],
    [['CLUSTER', 'RESET']],
    [['EVAL', 'return redis.call("KEYS", "*")', '0']],
    [['EVAL', 'return redis.call("GET", KEYS[1])', '1', 'elsewhere:key']],
  ])('%j is denied', async ([command, ...args]) => {
    await asUser(redis, 'app', password, (user) =>
      expect(user.call(command as string, ...args)).rejects.toThrow(
        /NOPERM|permission|ACL|can't run this command/i,
      ),
    );
  });

  test('nobody asks anything without a name', async () => {
    const socket = connect({ host: '127.0.0.1', port: redis.port });
    socket.write('PING\r\n');
    const [answer] = await once(socket, 'data');
    socket.destroy();
    expect(String(answer)).toMatch(/^-NOAUTH/);
  });
});

test('a permission that is missing is named at boot', async () => {
  const { keys, channels, commands } = serviceAcl(deployment);
  const redis = await startGuarded({ keys, channels, commands: commands.filter((name) => name !== 'xadd') });
  const instance = await spawnInstance('denied', settingOf(redis));
  try {
    await eventually('the log to name it', () => /xadd/i.test(instance.output()));
    expect(await readiness(instance)).toMatchObject({ code: 503 });
  } finally {
    await instance.kill('SIGKILL');
    await redis.stop();
  }
});

/** What the server refused, by command. */
const denials = (redis: TestRedis) =>
  asUser(redis, 'admin', 'admin', (admin) => admin.call('ACL', 'LOG') as Promise<unknown[]>);

function messagesOf(socket: Socket): unknown[] {
  const messages: unknown[] = [];
  socket.on('message', (message) => messages.push(message));
  return messages;
}
