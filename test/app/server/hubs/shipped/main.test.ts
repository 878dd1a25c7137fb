import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { io, type Socket } from 'socket.io-client';
import { openHub } from '../../../../../app/client/hub.ts';
import { environmentNames as names } from '../../../../../app/names.ts';
import { startRedis, type TestRedis } from '../../../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../../../support/servers/service.ts';
import { eventually } from '../../../../support/wait.ts';

/** The namespace `/` of the built service, on two instances, with clients that know nothing of hubs. */

let redis: TestRedis;
let instances: TestInstance[];
const opened: (() => unknown)[] = [];
beforeAll(async () => {
  redis = await startRedis();
  const environment = { [names.redisUrl]: redis.url, [names.mainHub]: 'true' };
  instances = await Promise.all(['one', 'two'].map((id) => startInstance(id, environment)));
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});
afterAll(async () => {
  await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
  await redis.stop();
});

const urlOf = (number: number) => (instances[number] as TestInstance).url;

type Heard = [event: string, ...args: unknown[]][];

function plainClient(number: number): { socket: Socket; heard: Heard } {
  const socket = io(urlOf(number), { forceNew: true, transports: ['websocket'] });
  opened.push(() => socket.disconnect());
  const heard: Heard = [];
  socket.onAny((event, ...args) => {
    // Who comes and goes is told some time later.
    if (event !== 'welcome' && event !== 'presence') heard.push([event, ...args]);
  });
  return { socket, heard };
}

test('any event, with any arguments, binary too, reaches the other members of the room on all instances', async () => {
  const [ada, bob, eve] = [plainClient(0), plainClient(1), plainClient(1)];
  for (const { socket } of [ada, bob]) {
    expect(await socket.emitWithAck('join', { room: 'board' })).toMatchObject({ ok: true });
  }
  await eve.socket.emitWithAck('join', { room: 'elsewhere' });
  const bytes = Buffer.from([0, 1, 255]);
  expect(
    await new Promise((resolve) => {
      ada.socket.emit('drawn', { room: 'board', bytes }, 'two', null, [3], (...given: unknown[]) =>
        resolve(given),
      );
    }),
  ).toEqual([]);
  ada.socket.emit('drawn', { room: 'board', done: true });
  await eventually('both events', () => bob.heard.length === 2);
  expect(bob.heard).toEqual([
    ['drawn', { room: 'board', bytes }, 'two', null, [3]],
    ['drawn', { room: 'board', done: true }],
  ]);
  expect([ada.heard, eve.heard]).toEqual([[], []]);
});

test('an event that names no room, or one that was not joined, is refused where its sender wants an answer', async () => {
  const { socket } = plainClient(0);
  const ask = (...args: unknown[]) => socket.emitWithAck('wave', ...args);
  expect(await ask()).toMatchObject({ error: { code: 'bad_request' } });
  expect(await ask(null)).toMatchObject({ error: { code: 'bad_request' } });
  expect(await ask({ room: 'board' })).toMatchObject({ error: { code: 'forbidden' } });
  socket.emit('wave');
  expect(await ask({ room: 'x'.repeat(65_536) })).toEqual({
    ok: false,
    error: { code: 'bad_request', message: 'the arguments must have at most 65536 bytes' },
  });
});

test('it keeps the contract: publishes of plain clients, of ours and of backends', async () => {
  const { socket, heard } = plainClient(0);
  await socket.emitWithAck('join', { room: 'news' });
  const hub = openHub<string>(urlOf(1), '/', { transports: ['websocket'], forceNew: true });
  opened.push(() => hub.close());
  const bodies: string[] = [];
  const room = hub.join('news', { onMessage: ({ body }) => bodies.push(body) });
  await room.joined;
  await room.publish('from ours');
  expect(await socket.emitWithAck('publish', { room: 'news', body: 'from plain' })).toMatchObject({
    ok: true,
    offset: 2,
  });
  await eventually('both messages', () => bodies.length === 2 && heard.length === 2);
  expect(bodies).toEqual(['from ours', 'from plain']);
  expect(heard.map(([event, message]) => [event, (message as { body: string }).body])).toEqual([
    ['message', 'from ours'],
    ['message', 'from plain'],
  ]);
});

test("SignalR's clients of the hub emit and hear the same events, binary as base64", async () => {
  const { socket, heard } = plainClient(0);
  await socket.emitWithAck('join', { room: 'mixed' });
  const connection = new HubConnectionBuilder()
    .withUrl(`${urlOf(1)}/mainhub`)
    .configureLogging(LogLevel.None)
    .build();
  const got: unknown[][] = [];
  connection.on('Drawn', (...args) => void got.push(args));
  await connection.start();
  opened.push(() => connection.stop());
  await connection.invoke('Join', 'mixed');
  expect(await connection.invoke('drawn', { room: 'mixed' }, 7)).toBeUndefined();
  await expect(connection.invoke('drawn', { room: 'other' })).rejects.toThrow(
    'forbidden: join the room first',
  );
  socket.emit('Drawn', { room: 'mixed' }, Buffer.from('hi'));
  await eventually('both', () => heard.length === 1 && got.length === 1);
  expect([heard, got]).toEqual([[['drawn', { room: 'mixed' }, 7]], [[{ room: 'mixed' }, 'aGk=']]]);
});
