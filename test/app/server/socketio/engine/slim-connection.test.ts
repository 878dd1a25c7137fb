import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Socket as ServerSocket } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { type RoomsServer, startRoomsServer } from '../../../../support/servers/rooms-server.ts';
import { eventually } from '../../../../support/wait.ts';

/**
 * Slimming reaches into engine.io and ws; `internals.test.ts` holds their versions. When one of these fails
 * after an upgrade, read what changed; until then `slimConnections: false` works.
 */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let server: RoomsServer;
const requests: WeakRef<IncomingMessage>[] = [];
beforeAll(async () => {
  server = await startRoomsServer(
    { store: openMemoryStore(), slimConnections: true },
    {
      allowRequest: (request, decide) => {
        requests.push(new WeakRef(request));
        decide(null, true);
      },
    },
  );
  server.io.of('/other').on('connection', () => undefined);
});
afterAll(() => server.close());

const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

async function open(namespace: string, options: object = {}): Promise<[Socket, ServerSocket]> {
  const client = connect(`${server.url}${namespace}`, {
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
    ...options,
  });
  clients.push(client);
  await eventually('the connection', () => client.connected);
  return [client, server.io.of(namespace).sockets.get(client.id as string) as ServerSocket];
}

test('nothing keeps the HTTP request of a WebSocket that stands', async () => {
  requests.length = 0;
  const [client] = await open('/chat');
  await client.emitWithAck('join', { room: 'r' });
  await eventually('the request to be collected', () => {
    collectGarbage();
    return requests.length === 1 && requests[0]?.deref() === undefined;
  });
  expect(client.connected).toBe(true);
});

test('who it is stays, what it must not keep goes', async () => {
  const [, socket] = await open('/chat', {
    query: { secret: 'in the address' },
    auth: { token: 'secret', client: 'c' },
    extraHeaders: { 'x-forwarded-for': '192.0.2.1', cookie: 'a=secret', authorization: 'Bearer secret' },
  });
  expect(socket.handshake).toMatchObject({
    headers: { 'x-forwarded-for': '192.0.2.1' },
    address: expect.stringContaining('127.0.0.1'),
    secure: false,
    auth: { client: 'c' },
    url: '/socket.io/',
  });
  expect(JSON.stringify([socket.handshake, socket.request])).not.toContain('secret');
  expect(socket.request.socket.remoteAddress).toBe(socket.handshake.address);
});

test('the listeners that keep it are the ones that are looked for', async () => {
  const [, socket] = await open('/chat');
  const transport = socket.conn.transport as unknown as EventEmitter & {
    socket: EventEmitter & { _socket: EventEmitter };
  };
  expect(transport.listenerCount('headers')).toBe(0);
  expect(transport.socket.listeners('error').map(({ name }) => name)).toEqual(['bound onError']);
  expect(transport.socket._socket.listeners('close').map(({ name }) => name)).toEqual(['socketOnClose']);
});

test('it enters another namespace, and tells there who it is', async () => {
  const [first] = await open('/chat', { extraHeaders: { 'user-agent': 'tester' } });
  const second = first.io.socket('/other').connect();
  await eventually('the other namespace', () => second.connected);
  const socket = server.io.of('/other').sockets.get(second.id as string);
  expect(socket?.handshake).toMatchObject({ headers: { 'user-agent': 'tester' }, secure: false });
});

test('one that comes by polling upgrades, is fetched, and its end is told with its reason', async () => {
  const [client, socket] = await open('/chat', { transports: ['polling', 'websocket'] });
  await eventually('the upgrade', () => client.io.engine.transport.name === 'websocket');
  const [direct] = await open('/chat', { auth: { token: 'secret' } });
  const fetched = await server.io.of('/chat').fetchSockets();
  expect(fetched.map(({ id }) => id).sort()).toEqual([client.id, direct.id].sort());
  const reasons: string[] = [];
  for (const each of [socket, server.io.of('/chat').sockets.get(direct.id as string)]) {
    each?.on('disconnect', (reason) => reasons.push(reason));
  }
  client.io.engine.close();
  direct.disconnect();
  await eventually('both ends', () => reasons.length === 2);
  expect(reasons.sort()).toEqual(['client namespace disconnect', 'transport close']);
});
