import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HubConnectionBuilder, LogLevel } from '@microsoft/signalr';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { openHub } from '../../app/server/hubs/open.ts';
import { openBackplane } from '../../app/server/redis/backplane.ts';
import { SigningKeys } from '../../app/server/relay/signing-keys.ts';
import { openServiceStore } from '../../app/server/rooms/store/service-store.ts';
import { serveHub as serveToSignalR } from '../../app/server/signalr/serve-hub.ts';
import { SignalRServer } from '../../app/server/signalr/server.ts';
import { serveHub as serveToSocketIo } from '../../app/server/socketio/serve-hub.ts';
import { silent } from '../support/redis/link.ts';
import { startRedis, type TestRedis } from '../support/redis/redis.ts';
import { eventually } from '../support/wait.ts';
import { tasks } from './own-hub.ts';

const opened: (() => unknown)[] = [];
let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  for (const close of opened.reverse()) await close();
  await redis.stop();
});

const identityOf = (token: unknown) => ({ subject: String(token), guest: false });

/** One instance, which serves the hub to clients of both kinds. */
async function start(instance: string): Promise<string> {
  const sources = { url: redis.url };
  const backplane = await openBackplane({ sources, deployment: 'd', instance, log: silent });
  await eventually('the backplane', () => backplane.status === 'joined');
  const store = openServiceStore(backplane, { deployment: 'd', backplane: 'required', roomLog: {} });
  const hub = openHub(tasks, { store, backplane, instance, deployment: 'd', log: silent });
  const http = createServer((_request, response) => response.writeHead(404).end());
  const socketIo = new Server(http, { destroyUpgrade: false });
  const end = serveToSocketIo(socketIo, hub, { authenticate: identityOf });
  const served = serveToSignalR(hub);
  const signalr = new SignalRServer({
    instance,
    keys: new SigningKeys({ deployment: 'd', redis: () => undefined }),
    hubs: new Map([[hub.path, served]]),
    authenticate: identityOf,
    cors: () => ({}),
    addressOf: () => '192.0.2.1',
    largestMessage: 100_000,
    maxWaitingBytes: 1_000_000,
    onFault: () => undefined,
  });
  signalr.attach(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  opened.push(async () => {
    end();
    served.close();
    signalr.close();
    await socketIo.close();
    await hub.close();
    await backplane.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

type Heard = [event: string, value: unknown][];

function socketOf(url: string, user: string) {
  const socket = io(`${url}/tasks`, { auth: { token: user }, forceNew: true, transports: ['websocket'] });
  opened.push(() => socket.disconnect());
  const heard: Heard = [];
  for (const event of ['hello', 'assigned']) socket.on(event, (payload) => heard.push([event, payload]));
  socket.on('message', ({ from, body }) => heard.push([from, body]));
  return { socket, heard };
}

async function connectionOf(url: string, user: string) {
  const connection = new HubConnectionBuilder()
    .withUrl(`${url}/taskhub`, { accessTokenFactory: () => user })
    .configureLogging(LogLevel.None)
    .build();
  const heard: Heard = [];
  for (const event of ['hello', 'assigned']) {
    connection.on(event, (payload) => void heard.push([event, payload]));
  }
  connection.on('message', ({ from, body }) => void heard.push([from, body]));
  await connection.start();
  opened.push(() => connection.stop());
  return { connection, heard };
}

test('what its code sends reaches the caller, a user and a room, by both kinds of clients and on all instances', async () => {
  const [one, two] = [await start('one'), await start('two')];
  const ada = socketOf(one, 'ada');
  const bob = await connectionOf(two, 'bob');
  await eventually('both to be greeted', () => ada.heard.length === 1 && bob.heard.length === 1);
  expect([ada.heard, bob.heard]).toEqual([[['hello', { name: 'ada' }]], [['hello', { name: 'bob' }]]]);

  expect(await ada.socket.emitWithAck('assign', { task: 'paint', to: 'bob' })).toMatchObject({
    ok: true,
    offset: 1,
  });
  const painted = { task: 'paint', to: 'bob' };
  await eventually('all to be told', () => ada.heard.length === 2 && bob.heard.length === 3);
  expect(ada.heard[1]).toEqual(['ada', painted]);
  expect(bob.heard.slice(1)).toEqual(
    expect.arrayContaining([
      ['assigned', { task: 'paint' }],
      ['ada', painted],
    ]),
  );

  expect(await bob.connection.invoke('Latest')).toEqual({ ok: true, task: 'paint' });
  await eventually('all but bob to be greeted', () => ada.heard.length === 3);
  expect(ada.heard[2]).toEqual(['hello', { name: 'someone' }]);

  expect(await bob.connection.invoke('Leave_Team')).toEqual({ ok: true });
  expect(await bob.connection.invoke('Assign', 'sweep', 'ada')).toMatchObject({ offset: 2 });
  await eventually('ada to be told', () => ada.heard.length === 5);
  expect(bob.heard).toHaveLength(3);

  const nobody = socketOf(one, 'nobody');
  const reason = await new Promise((resolve) => nobody.socket.once('disconnect', resolve));
  expect([reason, nobody.heard]).toEqual(['io server disconnect', []]);
});

test("a user's session is the same over both kinds of clients and on all instances, and its limit holds for both", async () => {
  const [one, two] = [await start('three'), await start('four')];
  const eve = socketOf(one, 'eve');
  const { connection } = await connectionOf(two, 'eve');
  expect(await connection.invoke('Mine')).toEqual({ ok: true });
  expect(await eve.socket.emitWithAck('assign', { task: 'dig', to: 'bob' })).toMatchObject({ ok: true });
  expect(await connection.invoke('Mine')).toEqual({ ok: true, task: 'dig' });
  await connection.invoke('Assign', 'rake', 'bob');
  expect(await eve.socket.emitWithAck('mine', {})).toEqual({ ok: true, task: 'rake' });

  const replies = await Promise.all(
    Array.from({ length: 40 }, () => eve.socket.emitWithAck('assign', { task: 'dig', to: 'bob' })),
  );
  expect(replies).toContainEqual({
    ok: false,
    error: { code: 'rate_limited', message: expect.stringMatching(/^try again in \d+ ms$/) },
  });
  const assigned = Array.from({ length: 40 }, () => connection.invoke('Assign', 'dig', 'bob'));
  await expect(Promise.all(assigned)).rejects.toThrow(/HubException: rate_limited: try again in \d+ ms$/);
});
