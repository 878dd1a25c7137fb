import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { BatchingWebSocketServer } from '../../../../../app/server/socketio/engine/batching-websocket.ts';
import { type RoomsServer, startRoomsServer } from '../../../../support/servers/rooms-server.ts';
import { eventually } from '../../../../support/wait.ts';
import { RawSocket } from '../../hostile/raw.ts';

let server: RoomsServer;
beforeEach(async () => {
  server = await startRoomsServer(
    { store: openMemoryStore() },
    { wsEngine: BatchingWebSocketServer, pingInterval: 300_000 },
  );
});
afterEach(() => server.close());

test('the answer to an upgrade and the first packet come together', async () => {
  const { port } = new URL(server.url);
  const tcp = connect(Number(port), '127.0.0.1');
  const lines = [
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  tcp.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [first] = (await once(tcp, 'data')) as [Buffer];
  tcp.destroy();
  expect(first.toString('latin1')).toMatch(/^HTTP\/1\.1 101 [\s\S]*0\{"sid":/);
});

test('what is sent in all ways arrives in the order in which it was sent', async () => {
  const raw = await RawSocket.open(server);
  const [socket] = server.io.of('/chat').sockets.values();
  raw.send('42/chat,0["join",{"room":"r"}]');
  await raw.until((frame) => frame.startsWith('43/chat,0['));
  const sent: string[] = [];
  for (let n = 0; n < 200; n += 1) {
    const payload = 'x'.repeat([1, 124, 125, 126, 70_000][n % 5] as number);
    // A room's messages are written past Engine.IO, and binary takes several packets.
    if (n % 3 === 0) await server.rooms.publish('r', { n, payload });
    else if (n % 7 === 0) socket?.emit('event', { n, bytes: Buffer.from('12') });
    else socket?.emit('event', { n, payload });
    sent.push(String(n));
    // More than a megabyte that waits would end the connection.
    if (n % 20 === 0) await nextTurn();
  }
  await raw.until((frame) => frame.includes('"n":199,'));
  const heard = raw.frames.flatMap((frame) => /"n":(\d+)/.exec(frame)?.[1] ?? []);
  expect(heard).toEqual(sent);
  raw.close();
});

test('what is volatile is left out for a client that does not read', async () => {
  const raw = await RawSocket.open(server);
  (raw.ws as unknown as { _socket: TcpSocket })._socket.pause();
  const [socket] = server.io.of('/chat').sockets.values();
  const conn = socket?.conn as unknown as { transport: { writable: boolean } };
  await eventually('the transport to wait', () => {
    socket?.emit('event', 'x'.repeat(100_000));
    return !conn.transport.writable;
  });
  socket?.volatile.emit('volatile', 'left out');
  socket?.emit('event', 'the end');
  (raw.ws as unknown as { _socket: TcpSocket })._socket.resume();
  await raw.until((frame) => frame.includes('the end'));
  expect(raw.frames.some((frame) => frame.includes('left out'))).toBe(false);
  raw.close();
});

test('what is sent last is sent before the goodbye', async () => {
  const raw = await RawSocket.open(server);
  const [socket] = server.io.of('/chat').sockets.values();
  socket?.emit('event', 'the last');
  socket?.disconnect(true);
  await once(raw.ws, 'close');
  expect(raw.frames.at(-2)).toContain('the last');
  expect(raw.frames.at(-1)).toBe('41/chat,');
});
