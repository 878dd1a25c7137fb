import type { Socket } from 'socket.io-client';
import type { Typing } from '../../../../../app/protocol/hub.ts';
import { type OpenHub, openHub } from '../../../../../app/server/hubs/open.ts';
import { chat } from '../../../../../app/server/hubs/shipped/chat.ts';
import { openBackplane } from '../../../../../app/server/redis/backplane.ts';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { serveHub } from '../../../../../app/server/socketio/serve-hub.ts';
import { silent } from '../../../../support/redis/link.ts';
import { openServer, type TestServer } from '../../../../support/servers/socket-server.ts';
import { eventually } from '../../../../support/wait.ts';

let server: TestServer;
let hub: OpenHub;
beforeAll(async () => {
  server = await openServer();
  const backplane = await openBackplane({ sources: {}, deployment: 'd', instance: 'i', log: silent });
  hub = openHub(chat, { store: openMemoryStore(), backplane, instance: 'i', log: silent });
  serveHub(server.io, hub, { authenticate: undefined });
});
afterAll(async () => {
  await hub.close();
  await server.close();
});

/** A client in a room, and whom it hears typing. */
async function clientIn(room: string): Promise<{ socket: Socket; heard: Typing[] }> {
  const socket = await server.connect('chat');
  const heard: Typing[] = [];
  socket.on('typing', (typing: Typing) => heard.push(typing));
  expect(await socket.emitWithAck('join', { room })).toMatchObject({ ok: true });
  return { socket, heard };
}

test('the members of a room hear who is typing in it, and nobody else does', async () => {
  const [ann, ben, eve] = [await clientIn('garden'), await clientIn('garden'), await clientIn('street')];
  expect(await ann.socket.emitWithAck('typing', { room: 'garden' })).toEqual({ ok: true });
  // What comes later on the same connections shows that the first was not merely late.
  expect(await eve.socket.emitWithAck('typing', { room: 'street' })).toEqual({ ok: true });
  await eventually('both events', () => ben.heard.length > 0 && eve.heard.length > 0);
  expect(ben.heard).toEqual([{ room: 'garden', from: ann.socket.id }]);
  expect(eve.heard).toEqual([{ room: 'street', from: eve.socket.id }]);
});

test('who has not joined a room, or has left it, may not type in it', async () => {
  const [ann, ben] = [await clientIn('garden'), await clientIn('garden')];
  const refused = { ok: false, error: { code: 'forbidden', message: 'join the room first' } };
  expect(await ann.socket.emitWithAck('typing', { room: 'street' })).toEqual(refused);
  await ann.socket.emitWithAck('leave', { room: 'garden' });
  expect(await ann.socket.emitWithAck('typing', { room: 'garden' })).toEqual(refused);
  expect(await ann.socket.emitWithAck('typing', {})).toMatchObject({ error: { code: 'bad_request' } });
  expect(await ben.socket.emitWithAck('typing', { room: 'garden' })).toEqual({ ok: true });
  await eventually('the event', () => ben.heard.length > 0);
  expect(ben.heard).toEqual([{ room: 'garden', from: ben.socket.id }]);
});
