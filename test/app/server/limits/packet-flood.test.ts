import { once } from 'node:events';
import WebSocket from 'ws';
import { endPacketFloods } from '../../../../app/server/limits/packet-flood.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store.ts';
import { startRoomsServer } from '../../../support/rooms-server.ts';

test('a connection that sends more than any client has reason to is ended, and it alone', async () => {
  const server = await startRoomsServer({ store: openMemoryStore() });
  const told: unknown[] = [];
  // The compiler sees two Socket.IOs: the service's own, and the one of the tests.
  endPacketFloods(server.io as never, ({ url }) => told.push(url), 100);
  const at = (name: string) =>
    new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&who=${name}`);
  const [busy, flooder] = [at('busy'), at('flooder')];
  await Promise.all([busy, flooder].map(enter));
  for (let n = 0; n < 90; n += 1) busy.send('42/chat,["nothing"]');
  // In one write: however slow the machine is, they are read within a second.
  const closed = once(flooder, 'close');
  const { _socket: tcp } = flooder as unknown as { _socket: { cork(): void; uncork(): void } };
  tcp.cork();
  for (let n = 0; n < 300; n += 1) flooder.send('42/chat,["nothing"]');
  tcp.uncork();
  await closed;
  expect(busy.readyState).toBe(WebSocket.OPEN);
  expect(told).toEqual([expect.stringContaining('who=flooder')]);
  busy.terminate();
  await server.close();
});

async function enter(ws: WebSocket): Promise<void> {
  await once(ws, 'open');
  ws.send('40/chat,');
  for (;;) {
    const [data] = await once(ws, 'message');
    if (String(data).startsWith('40/chat,')) return;
  }
}
