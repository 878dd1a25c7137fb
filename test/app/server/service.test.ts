import { type EventEmitter, once as onceEmitted } from 'node:events';
import { createServer } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { type ClientHub, openHub } from '../../../app/client/hub.ts';
import { startRedis, type TestRedis } from '../../support/redis/redis.ts';
import {
  readiness,
  spawnInstance,
  startInstance,
  type TestInstance,
  untilLogged,
  untilReady,
} from '../../support/servers/service.ts';
import { eventually } from '../../support/wait.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function redis(options: string[] = [], port?: number): Promise<TestRedis> {
  const server = await startRedis(options, port);
  open.push(() => server.stop());
  return server;
}

async function instance(id: string, environment: NodeJS.ProcessEnv): Promise<TestInstance> {
  const started = await startInstance(id, environment);
  open.push(() => started.kill('SIGKILL'));
  return started;
}

async function bootingInstance(environment: NodeJS.ProcessEnv): Promise<TestInstance> {
  const started = await spawnInstance('app', environment);
  open.push(() => started.kill('SIGKILL'));
  return started;
}

function chat(at: TestInstance): Socket {
  const socket = io(`${at.url}/chat`, { transports: ['websocket'], reconnectionDelay: 50, forceNew: true });
  open.push(async () => socket.disconnect());
  return socket;
}

/** Socket.IO's client is an emitter in all but its type. */
function once(socket: Socket, event: string): Promise<unknown[]> {
  return onceEmitted(socket as unknown as EventEmitter, event);
}

function heardBy(socket: Socket): unknown[] {
  const bodies: unknown[] = [];
  socket.on('message', (message) => bodies.push(message.body));
  return bodies;
}

describe('two instances', () => {
  test('a message published on one is heard on the other, by members only', async () => {
    const { url } = await redis();
    const [one, two] = await Promise.all([
      instance('one', { REDIS_URL: url }),
      instance('two', { ConnectionStrings__Redis: url.replace('redis://', '') }),
    ]);
    const [sender, member, stranger] = [chat(one), chat(two), chat(two)];
    const [heard, unheard] = [heardBy(member), heardBy(stranger)];
    expect(await sender.emitWithAck('join', { room: 'r' })).toMatchObject({ ok: true });
    expect(await member.emitWithAck('join', { room: 'r' })).toMatchObject({ ok: true });
    expect(await stranger.emitWithAck('join', { room: 'other' })).toMatchObject({ ok: true });
    expect(await sender.emitWithAck('publish', { room: 'r', body: { n: 1 } })).toMatchObject({ ok: true });
    await eventually('the message', () => heard.length > 0);
    await member.emitWithAck('leave', { room: 'r' });
    await sender.emitWithAck('publish', { room: 'r', body: { n: 2 } });
    await stranger.emitWithAck('publish', { room: 'other', body: 'last' });
    await eventually('the message in the other room', () => unheard.length > 0);
    expect(heard).toEqual([{ n: 1 }]);
    expect(unheard).toEqual(['last']);
  });

  test('a client is told which instance serves it', async () => {
    const one = await instance('instance-1', {});
    const [welcome] = await once(chat(one), 'welcome');
    expect(welcome).toEqual({ instance: 'instance-1', limits: { bodyBytes: 65_536 } });
  });

  test('SIGTERM: not ready, clients come back elsewhere by themselves, exit 0', async () => {
    const { url } = await redis();
    const leaving = await instance('leaving', { REDIS_URL: url });
    const socket = chat(leaving);
    await once(socket, 'connect');
    const [[reason]] = await Promise.all([once(socket, 'disconnect'), leaving.kill('SIGTERM')]);
    expect(reason).toBe('transport close');
    expect(socket.active).toBe(true);
    expect(await leaving.ended()).toBe(0);
    expect(leaving.output()).toContain('stopped');
  });
});

describe('health', () => {
  test('without a setting: single-instance mode, said in the log and by /health/ready', async () => {
    const alone = await instance('alone', { REDIS_URL: 'none' });
    expect(await readiness(alone)).toEqual({ code: 200, status: 'single-instance' });
    await untilLogged(alone, 'backplane: none (REDIS_URL is `none`)');
  });

  test('503 until Redis is there, 200 and degraded when it goes, ok when it comes back', async () => {
    const first = await redis();
    await first.stop();
    const app = await bootingInstance({ REDIS_URL: first.url });
    await untilLogged(app, 'ECONNREFUSED');
    expect(await readiness(app)).toEqual({ code: 503, status: 'starting' });
    const second = await redis([], first.port);
    await untilReady(app);
    expect(await readiness(app)).toEqual({ code: 200, status: 'ok' });
    const joined = /backplane: redis at 127.0.0.1:\d+, user default, TLS off, from REDIS_URL/;
    await eventually('that in the log', () => joined.test(app.output()));

    const socket = chat(app);
    await once(socket, 'connect');
    await second.stop();
    await eventually('degraded', async () => (await readiness(app)).status === 'degraded');
    expect((await readiness(app)).code).toBe(200);
    const refused = await socket.emitWithAck('publish', { room: 'r', body: 1 });
    expect(refused).toMatchObject({ ok: false, error: { code: 'refused' } });

    await redis([], first.port);
    await eventually('ok again', async () => (await readiness(app)).status === 'ok');
    expect(await socket.emitWithAck('publish', { room: 'r', body: 1 })).toMatchObject({ ok: true });
    expect(socket.connected).toBe(true);
  });

  test('the public body is the status alone', async () => {
    const alone = await instance('alone', {});
    const response = await fetch(`${alone.url}/health/ready`);
    expect(await response.json()).toEqual({ status: 'single-instance' });
    expect(response.headers.get('cache-control')).toBe('no-store');
  });
});

test('a Redis that refuses is named in the log, without the password, and the instance is not ready', async () => {
  const { port } = await redis(['--requirepass', 'secret']);
  const app = await bootingInstance({ REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` });
  await untilLogged(app, 'refuses the password of user default');
  expect(app.output()).not.toContain('hunter2');
  expect((await readiness(app)).code).toBe(503);
});

describe('bad input at boot ends the process with the fix', () => {
  test.each([
    ['a malformed setting', { REDIS_URL: 'http://cache' }, 'REDIS_URL is not a usable Redis setting'],
    ['an unusable port', { PORT: '70000' }, 'PORT must be a whole number of 1–65535, got: 70000'],
    ['an address of another machine', { HOST: '203.0.113.1' }, 'HOST is no address of this machine'],
  ])('%s', async (_case, environment, fault) => {
    const app = await bootingInstance(environment);
    expect(await app.ended()).toBe(1);
    expect(app.output()).toContain(fault);
  });

  test('a port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await onceEmitted(taken, 'listening');
    open.push(async () => taken.close());
    const { port } = taken.address() as { port: number };
    const app = await bootingInstance({ PORT: String(port) });
    expect(await app.ended()).toBe(1);
    expect(app.output()).toContain('set PORT to a free one');
  });
});

test.each([
  ['join', undefined],
  ['join', null],
  ['join', { room: '' }],
  ['join', { room: 'x'.repeat(129) }],
  ['join', { room: 7 }],
  ['join', { room: 'a\u0000b' }],
  ['publish', { room: 'r' }],
  ['publish', { room: 'r', id: '', body: 1 }],
  ['publish', { room: 'r', body: Buffer.from('binary') }],
])('%s %p is answered bad_request, and the connection goes on', async (method, payload) => {
  const socket = chat(await sharedInstance());
  expect(await socket.emitWithAck(method, payload)).toMatchObject({
    ok: false,
    error: { code: 'bad_request' },
  });
  expect(await socket.emitWithAck('join', { room: 'fine' })).toMatchObject({ ok: true });
});

let shared: Promise<TestInstance> | undefined;
function sharedInstance(): Promise<TestInstance> {
  shared ??= startInstance('shared', {});
  return shared;
}
afterAll(async () => (await shared)?.kill('SIGKILL'));

describe('BACKPLANE=preferred', () => {
  test('serves alone while Redis is away, says so, and joins when it is there', async () => {
    const away = await redis();
    await away.stop();
    const settings = { REDIS_URL: away.url, BACKPLANE: 'preferred' };
    const [one, two] = await Promise.all([instance('one', settings), instance('two', settings)]);
    expect(await readiness(one)).toEqual({ code: 200, status: 'degraded' });

    const [here, neighbour, elsewhere] = [one, one, two].map((at) =>
      openHub(at.url, 'chat', { forceNew: true }),
    );
    for (const hub of [here, neighbour, elsewhere]) open.push(async () => hub?.close());
    const heard: unknown[][] = [[], [], []];
    const lost: unknown[][] = [[], [], []];
    const rooms = [here, neighbour, elsewhere].map((hub, index) =>
      (hub as ClientHub).join('r', {
        onMessage: ({ body }) => heard[index]?.push(body),
        onLost: (what) => lost[index]?.push(what),
      }),
    );
    await Promise.all(rooms.map((room) => room.joined));
    await rooms[0]?.publish('alone');
    await eventually('the neighbour to hear it', () => heard[1]?.length === 1);
    expect(heard[2]).toEqual([]);

    await redis([], away.port);
    await eventually('both to join', async () =>
      (await Promise.all([one, two].map(readiness))).every(({ status }) => status === 'ok'),
    );
    // What was said alone stays where it was said: members are told that something may be missing.
    await eventually('everyone to be told', () => lost.every(({ length }) => length > 0));
    await rooms[0]?.publish('together');
    await eventually('everyone to hear it', () => heard.every((bodies) => bodies.includes('together')));
    expect(heard).toEqual([['alone', 'together'], ['alone', 'together'], ['together']]);
  });
});
