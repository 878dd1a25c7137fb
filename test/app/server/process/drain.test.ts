import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { drain } from '../../../../app/server/process/drain.ts';
import { Connections } from '../../../../app/server/socketio/engine/connections.ts';
import { eventually } from '../../../support/wait.ts';

let http: HttpServer;
let server: Server;
let connections: Connections;
let closedAt: number[];
let url: string;
const clients: Socket[] = [];

beforeEach(async () => {
  http = createServer();
  server = new Server(http, { allowRequest: (_request, decide) => decide(null, !refusing) });
  connections = new Connections(server);
  closedAt = [];
  refusing = false;
  server.engine.on('connection', (connection: { once(name: string, listener: () => void): void }) =>
    connection.once('close', () => closedAt.push(performance.now())),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

let refusing = false;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
});

async function join(count: number, transport: 'websocket' | 'polling'): Promise<Socket[]> {
  const joined = Array.from({ length: count }, () => io(url, { transports: [transport], forceNew: true }));
  clients.push(...joined);
  await eventually('all to be there', () => joined.every(({ connected }) => connected));
  return joined;
}

function reasonsOf(sockets: readonly Socket[]): string[] {
  const reasons: string[] = [];
  for (const socket of sockets) socket.once('disconnect', (reason) => reasons.push(reason));
  return reasons;
}

test('60 clients in a second: no batch holds many, in random order, and each comes back by itself', async () => {
  const sockets = await join(60, 'websocket');
  const reasons = reasonsOf(sockets);
  const order: number[] = [];
  for (const [index, socket] of sockets.entries()) socket.once('disconnect', () => order.push(index));
  refusing = true;
  const start = performance.now();
  await drain({ connections, seconds: 1 });
  // What a busy machine does late it does in fewer, larger ticks of the clock; the batches stay what they are.
  expect(Math.max(...closedAt) - start).toBeGreaterThanOrEqual(850);
  expect(mostWithin(closedAt, 50)).toBeLessThanOrEqual(30);
  await eventually('all to know', () => reasons.length === 60);
  expect(new Set(reasons)).toEqual(new Set(['transport close']));
  expect(sockets.every(({ active }) => active)).toBe(true);
  expect(order).not.toEqual([...order].sort((one, other) => one - other));
});

// A drain of hours: these tests end, or they don't.
const endless = 36_000;

test('nobody is connected: it ends at once', async () => {
  await drain({ connections, seconds: endless });
});

test('a few clients do not take all the time there is', async () => {
  await join(3, 'websocket');
  refusing = true;
  await drain({ connections, seconds: endless });
  expect(connections.count).toBe(0);
});

test('clients that poll are let go too', async () => {
  const sockets = await join(10, 'polling');
  const reasons = reasonsOf(sockets);
  refusing = true;
  await drain({ connections, seconds: 0.5 });
  await eventually('all to know', () => reasons.length === 10);
  expect(connections.count).toBe(0);
  expect(sockets.every(({ active }) => active)).toBe(true);
});

test('one that reads nothing is cut off behind the others', async () => {
  const deaf = connectTcp(Number(new URL(url).port), '127.0.0.1');
  deaf.on('error', () => undefined);
  const key = Buffer.from('0123456789abcdef').toString('base64');
  const lines = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
  ];
  deaf.write(`${lines.join('\r\n')}\r\n\r\n`);
  await eventually('it to be there', () => connections.count === 1);
  deaf.pause();
  const [connection] = [...connections];
  for (let part = 0; part < 200; part += 1) connection?.write('x'.repeat(100_000));
  refusing = true;
  await drain({ connections, seconds: 0.2, lingerMs: 300 });
  await eventually('it to be gone', () => connections.count === 0);
  deaf.destroy();
});

/** @returns the largest number of moments within so many milliseconds */
function mostWithin(moments: readonly number[], ms: number): number {
  return Math.max(...moments.map((from) => moments.filter((at) => at >= from && at < from + ms).length));
}
