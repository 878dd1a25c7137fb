import { request as httpRequest } from 'node:http';
import { connect, type Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';
import { createRoomCounters } from '../../../../../app/server/rooms/counters.ts';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { BatchingWebSocketServer } from '../../../../../app/server/socketio/engine/batching-websocket.ts';
import { waitingBytes } from '../../../../../app/server/socketio/engine/slow-consumer.ts';
import { describeInFull } from '../../../../support/full-runs.ts';
import { type RoomsServer, startRoomsServer } from '../../../../support/servers/rooms-server.ts';
import { eventually } from '../../../../support/wait.ts';
import { RawSocket } from '../../hostile/raw.ts';

/**
 * A client that does not read what it is sent is ended once 1 MB waits for it, whatever that is. The kernel takes some
 * megabytes in beside that, so each of these sends 20.
 */

const message = 'x'.repeat(1_100);
/** 200 messages are a page of 250 KB. */
const page = 200;
const pages = 80;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(fanout: 'direct' | 'adapter') {
  const counters = createRoomCounters();
  // Nothing but what a test sends makes the server look.
  const heartbeat = { pingInterval: 300_000, wsEngine: BatchingWebSocketServer };
  const server = await startRoomsServer({ store: openMemoryStore(), fanout, counters }, heartbeat);
  closing.push(() => server.close());
  const { epoch } = await server.rooms.publish('full', message);
  for (let n = 1; n < page; n += 1) await server.rooms.publish('full', message);
  return { server, counters, epoch };
}

interface Slow {
  /** In the namespace. */
  readonly socket: Socket;
  /** Sends a packet of Socket.IO's. */
  send(packet: string): void;
}

/** Over a WebSocket of which nothing is read any more. */
async function slowWebSocket(server: RoomsServer): Promise<Slow & { readonly raw: RawSocket }> {
  const raw = await RawSocket.open(server);
  closing.push(() => raw.close());
  (raw.ws as unknown as { _socket: TcpSocket })._socket.pause();
  const [socket] = server.io.of('/chat').sockets.values();
  return { raw, socket: socket as Socket, send: (packet) => raw.send(`4${packet}`) };
}

/** By polling, with polls whose answers nobody reads, or with none. */
async function slowPolling(server: RoomsServer): Promise<Slow & { poll(): void }> {
  const path = '/socket.io/?EIO=4&transport=polling';
  const { sid } = JSON.parse((await (await fetch(server.url + path)).text()).slice(1)) as { sid: string };
  const { port } = new URL(server.url);
  const send = (packet: string) => {
    const request = httpRequest(`${server.url}${path}&sid=${sid}`, { method: 'POST', agent: false });
    // The session may have ended by then.
    request.on('error', () => undefined);
    request.end(`4${packet}`);
  };
  const poll = () => {
    const tcp = connect(Number(port), '127.0.0.1');
    tcp.on('error', () => undefined);
    tcp.pause();
    tcp.write(`GET ${path}&sid=${sid} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    closing.push(() => tcp.destroy());
  };
  send('0/chat,');
  await eventually('the client to be there', () => server.io.of('/chat').sockets.size === 1);
  const [socket] = server.io.of('/chat').sockets.values();
  return { socket: socket as Socket, send, poll };
}

const join = (id: number, epoch: string) =>
  `2/chat,${id}["join",{"room":"full","since":{"epoch":"${epoch}","offset":0}}]`;

describe('fan-out direct', () => suite('direct'));
describeInFull('faults', 'fan-out adapter', () => suite('adapter'));

function suite(fanout: 'direct' | 'adapter'): void {
  test.each([
    ['a WebSocket', slowWebSocket],
    ['polling', slowPolling],
  ])('replies, over %s', async (_over, openSlow) => {
    const { server, counters, epoch } = await open(fanout);
    const slow = await openSlow(server);
    for (let n = 0; n < pages && slow.socket.connected; n += 1) slow.send(join(n, epoch));
    await eventually('the connection to be ended', () => !slow.socket.connected);
    expect(counters.slowConsumers).toBe(1);
  });

  test.each([
    ['a WebSocket', slowWebSocket],
    ['polling', slowPolling],
  ])('messages and events of the server, over %s', async (_over, openSlow) => {
    const { server, counters } = await open(fanout);
    const slow = await openSlow(server);
    slow.send('2/chat,0["join",{"room":"r"}]');
    await eventually('it to be a member', () => server.rooms.isMember(slow.socket, 'r'));
    for (let n = 0; n < 60 && slow.socket.connected; n += 1) {
      await server.rooms.publish('r', 'x'.repeat(200_000));
      slow.socket.emit('event', 'x'.repeat(200_000));
    }
    await eventually('the connection to be ended', () => !slow.socket.connected);
    expect(counters.slowConsumers).toBe(1);
  });

  test('who reads is not ended, however much it asks for', async () => {
    const { server, counters, epoch } = await open(fanout);
    const raw = await RawSocket.open(server);
    closing.push(() => raw.close());
    for (let n = 0; n < pages; n += 1) {
      raw.send(`4${join(n, epoch)}`);
      await raw.until((frame) => frame.startsWith(`43/chat,${n}[`));
    }
    expect(counters.slowConsumers).toBe(0);
  });
}

test('answers to pings, which WebSockets have of their own', async () => {
  const { server, counters } = await open('direct');
  const { raw, socket } = await slowWebSocket(server);
  const payload = 'x'.repeat(125);
  for (let round = 0; round < 100 && socket.connected; round += 1) {
    for (let n = 0; n < 1_000; n += 1) raw.ws.ping(payload);
    await new Promise((resolve) => raw.ws.ping(payload, true, resolve));
  }
  await eventually('the connection to be ended', () => !socket.connected);
  expect(counters.slowConsumers).toBe(1);
});

test('an answer to a poll that is not read counts until it is', async () => {
  const { server, counters } = await open('direct');
  const slow = await slowPolling(server);
  slow.poll();
  slow.socket.emit('large', 'x'.repeat(30_000_000));
  // Engine.IO has nothing any more: it is all in the answer.
  slow.poll();
  await eventually(
    'the poll',
    () => (slow.socket.conn.transport as { writable?: boolean }).writable === true,
  );
  expect(waitingBytes(slow.socket.conn as never)).toBeGreaterThan(20_000_000);
  expect(slow.socket.connected).toBe(true);
  slow.socket.emit('small', 1);
  await eventually('the connection to be ended', () => !slow.socket.connected);
  expect(counters.slowConsumers).toBe(1);
});
