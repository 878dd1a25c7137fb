import { once } from 'node:events';
import { request } from 'node:http';
import type { Redis } from 'ioredis';
import WebSocket from 'ws';
import { ConnectionLimit } from '../../../../app/server/connections/connection-limit.ts';
import type { SignalRServerOptions } from '../../../../app/server/signalr/server.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';
import { type Instance, startHubInstance, TestHub } from './test-hub.ts';

/** What a client may take, what is counted of it, and how it is sent away. */

let server: TestRedis;
let redis: Redis;
let instance: Instance;
const sockets: WebSocket[] = [];
const end = '\x1e';
const ada = { authorization: 'Bearer user-ada' };
const handshake = `{"protocol":"json","version":1}${end}`;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await instance.stop();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

async function start(options: Partial<SignalRServerOptions>): Promise<void> {
  instance = await startHubInstance('bounds', redis, options);
}

async function negotiate(): Promise<string> {
  const response = await fetch(`${instance.url}/testhub/negotiate?negotiateVersion=1`, {
    method: 'POST',
    headers: ada,
  });
  return ((await response.json()) as { connectionToken: string }).connectionToken;
}

const get = (id: string, headers = {}) =>
  fetch(`${instance.url}/testhub?id=${id}`, { headers: { ...ada, ...headers } });

/** @returns the status of its upgrade, and the texts that it heard */
async function open(query: string) {
  const socket = new WebSocket(`${instance.url.replace('http', 'ws')}/testhub${query}`, { headers: ada });
  sockets.push(socket);
  const heard: string[] = [];
  socket.on('message', (data) => heard.push(...String(data).split(end).slice(0, -1)));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const status = await new Promise<number>((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => {
      resolve(statusCode);
      socket.terminate();
    });
    socket.on('error', () => undefined);
  });
  return { socket, heard, closed, status };
}

test('one token opens no more connections than the gate lets in, by any transport', async () => {
  let left = 4;
  await start({
    refuse: () => (left-- > 0 ? undefined : { status: 429, message: 'try again', retryAfterSeconds: 1 }),
  });
  const id = await negotiate();
  for (let count = 0; count < 2; count += 1) expect((await open(`?id=${id}`)).status).toBe(101);
  expect((await get(await negotiate())).status).toBe(429);
  expect((await open(`?id=${id}`)).status).toBe(429);
});

test('the connections of a user are counted for all transports together, and released at their end', async () => {
  const connectionLimit = new ConnectionLimit(2);
  await start({ connectionLimit });
  const first = await open('');
  const polled = await negotiate();
  expect((await get(polled)).status).toBe(200);
  expect((await open('')).status).toBe(503);
  const refused = await get(await negotiate(), { accept: 'text/event-stream' });
  expect([refused.status, await refused.text()]).toEqual([503, 'a user may have 2 connections: close some']);
  first.socket.close();
  await fetch(`${instance.url}/testhub?id=${polled}`, { method: 'DELETE', headers: ada });
  await eventually('room', () => connectionLimit.users === 0);
  // An upgrade that fails behind the count leaves none: this one has no key.
  const headers = { ...ada, connection: 'upgrade', upgrade: 'websocket' };
  const keyless = request(`${instance.url}/testhub`, { headers }).end();
  const [{ statusCode }] = await once(keyless, 'response');
  expect(statusCode).toBe(400);
  expect(connectionLimit.users).toBe(0);
});

test('who comes, goes and fails is counted, each with its reason', async () => {
  const counted: string[] = [];
  const hub = new TestHub('counted');
  const refused: string[] = [];
  Object.assign(hub, { refused: (_error: Error, code: string) => refused.push(code) });
  await start({
    hubs: new Map([['/testhub', hub]]),
    listener: {
      connectionOpened: () => counted.push('opened'),
      connectionEnded: (reason) => counted.push(reason),
      handshakeFailed: (over, reason) => counted.push(`${over} ${reason}`),
    },
  });
  const went = await open('');
  went.socket.close();
  await went.closed;
  await eventually('its end', () => counted.includes('transport close'));
  const faulty = await open('');
  faulty.socket.send(`${handshake}{{${end}`);
  await faulty.closed;
  const wordless = await open('');
  wordless.socket.send(`x${end}`);
  await wordless.closed;
  expect((await open('?id=x')).status).toBe(404);
  expect((await open('?access_token=y&id=x')).status).toBe(404);
  expect((await fetch(`${instance.url}/testhub?id=x`)).status).toBe(404);
  expect((await fetch(`${instance.url}/testhub/negotiate`, { method: 'POST' })).status).toBe(401);
  await eventually('all of them', () => counted.length >= 11);
  expect(counted).toEqual([
    'opened',
    'transport close',
    'opened',
    'parse error',
    'opened',
    'websocket unsupported_protocol',
    'parse error',
    'websocket unknown_session',
    'websocket unknown_session',
    'polling unknown_session',
    'polling refused',
  ]);
  expect(refused).toEqual(['missing']);
});

test.each([
  ['messages', (socket: WebSocket) => socket.send(`{"type":6}${end}`.repeat(6_000))],
  ['pings', (socket: WebSocket) => Array.from({ length: 6_000 }, () => socket.ping())],
])('a flood of %s ends its connection', async (_what, flood) => {
  const floods: string[] = [];
  await start({ onFlood: (address) => floods.push(address) });
  const { socket, closed } = await open('');
  socket.send(handshake);
  flood(socket);
  await closed;
  expect(floods).toEqual([expect.stringContaining('127.0.0.1')]);
});

test('a client that does not read is told of as a slow consumer', async () => {
  const hub = new TestHub('slow');
  let slow = 0;
  Object.assign(hub, {
    slow: () => {
      slow += 1;
    },
  });
  await start({ hubs: new Map([['/testhub', hub]]), maxWaitingBytes: 100_000 });
  const { socket } = await open('');
  socket.send(handshake);
  await eventually('it to be there', () => hub.connections.size === 1);
  socket.pause();
  const [connection] = hub.connections;
  for (let count = 0; count < 1_000 && connection?.connected; count += 1) {
    connection?.send('Message', 'x'.repeat(50_000));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(slow).toBe(1);
});

test('who is sent away is answered first: what runs with its result, what waits with a no, streams with an error', async () => {
  const hub = new TestHub('leaving');
  let finish: ((value: string) => void) | undefined;
  const find = hub.find.bind(hub);
  Object.assign(hub, {
    find: (target: string) =>
      target === 'slow'
        ? {
            kind: 'invocation',
            run: () =>
              new Promise((resolve) => {
                finish = resolve;
              }),
          }
        : find(target),
  });
  await start({ hubs: new Map([['/testhub', hub]]) });
  const { socket, heard, closed } = await open('');
  socket.send(handshake);
  socket.send(`{"type":4,"invocationId":"s","target":"endless","arguments":[]}${end}`);
  await eventually('its stream', () => heard.length > 3);
  for (const [id, target] of [
    ['1', 'slow'],
    ['2', 'where'],
  ]) {
    socket.send(`{"type":1,"invocationId":"${id}","target":"${target}","arguments":[]}${end}`);
  }
  await eventually('the first of them to run', () => finish !== undefined);
  for (const connection of hub.connections) connection.close();
  await eventually('the stream to end', () =>
    heard.some((text) => text.includes('"invocationId":"s","error"')),
  );
  socket.send(`{"type":1,"invocationId":"3","target":"where","arguments":[]}${end}`);
  finish?.('done');
  expect(await closed).toBe(1000);
  const completions = heard.map((text) => JSON.parse(text)).filter(({ type }) => type === 3 || type === 7);
  const leaving = expect.stringContaining('HubException: unavailable: the instance is leaving');
  expect(completions).toEqual(
    expect.arrayContaining([
      { type: 3, invocationId: 's', error: leaving },
      { type: 3, invocationId: '1', result: 'done' },
      { type: 3, invocationId: '2', error: leaving },
    ]),
  );
  expect(completions.at(-1)).toEqual({ type: 7, allowReconnect: true });
});
