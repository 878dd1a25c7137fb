import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';
import { io as connect } from 'socket.io-client';
import { createRoomCounters, publishedAt } from '../../../../app/server/rooms/counters.ts';
import { messageRest } from '../../../../app/server/rooms/message.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { freeTcpSocket, internalsOf } from '../../../../app/server/socketio/engine/internals.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { eventually } from '../../../support/wait.ts';

const messageOf = (id: string, from: string, at: number, body: string) =>
  Buffer.from(`{"room":"r","epoch":"e","offset":1,${messageRest(id, from, at, body)}`);

test.each([
  ['plain', 'id', 'ann'],
  ['an id that looks like the field', ',"at":5,', 'ann'],
  ['one with backslashes before it', '\\","at":5', 'ann'],
  ['a name that looks like it', 'id', 'x,"at":5,"body":1}'],
  ['a name that ends in a comma', 'id', 'ann,'],
])("the time of a message is its own, not one in the sender's words: %s", (_case, id, from) => {
  expect(publishedAt(messageOf(id, from, 1_700_000_000_123, '{"at":5}'))).toBe(1_700_000_000_123);
});

test('what has no time is not taken for the year 1970', () => {
  expect(publishedAt(Buffer.from('{"room":"r"}'))).toBeUndefined();
});

describe('a client that does not read', () => {
  let server: RoomsServer;
  afterEach(() => server.close());

  test('is one slow consumer, however many messages come until its end is noticed', async () => {
    const counters = createRoomCounters();
    server = await startRoomsServer({ store: openMemoryStore(), counters, maxWaitingBytes: 100_000 });
    const reader = connect(`${server.url}/chat`, { transports: ['websocket'], reconnection: false });
    await reader.emitWithAck('join', { room: 'r' });
    const [socket] = server.io.of('/chat').sockets.values();
    const tcp = freeTcpSocket(internalsOf((socket as Socket).conn)) as TcpSocket;
    tcp.cork();
    const publish = () => server.rooms.publish('r', 'x'.repeat(50_000));
    await Promise.all(Array.from({ length: 10 }, publish));
    await eventually('its end', () => server.io.of('/chat').sockets.size === 0);
    expect(counters).toMatchObject({ slowConsumers: 1, joins: 1, frames: 10 });
    expect(counters.publishes).toMatchObject({ acknowledged: 10 });
    expect([...server.rooms.view()]).toMatchObject([{ name: 'r', cursor: { offset: 10 } }]);
    reader.disconnect();
  });
});
