import { once } from 'node:events';
import WebSocket from 'ws';
import { openMemoryStore } from '../../../../../app/server/rooms/store/store.ts';
import { endPacketFloods } from '../../../../../app/server/socketio/engine/packet-flood.ts';
import { type RoomsServer, startRoomsServer } from '../../../../support/servers/rooms-server.ts';

let server: RoomsServer;
const floods: unknown[] = [];
const judged: number[] = [];
beforeAll(async () => {
  server = await startRoomsServer({ store: openMemoryStore() });
  // The compiler sees two Socket.IOs: the service's own, and the one of the tests.
  endPacketFloods(server.io as never, {
    onFlood: ({ url }) => floods.push(/who=(.*)/.exec(url ?? '')?.[1]),
    isTooMuch: ({ url }, bytes) => {
      if (url?.includes('who=judged')) judged.push(bytes);
      return url?.includes('who=judged') === true && judged.length === 2;
    },
    bounds: { packets: 100, packetsPerSecond: 50, bytes: 50_000, bytesPerSecond: 20_000 },
  });
});
afterAll(() => server.close());

const packet = '42/chat,["nothing"]';

async function open(who: string): Promise<WebSocket> {
  const url = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&who=${who}`;
  const ws = new WebSocket(url);
  await enter(ws);
  return ws;
}

/** In one write: however slow the machine is, they are read within a second. */
async function flood(ws: WebSocket, send: () => void): Promise<void> {
  const closed = once(ws, 'close');
  const { _socket: tcp } = ws as unknown as { _socket: { cork(): void; uncork(): void } };
  tcp.cork();
  send();
  tcp.uncork();
  await closed;
}

test.each([
  ['packets', (ws: WebSocket) => times(300, () => ws.send(packet))],
  ['pings', (ws: WebSocket) => times(300, () => ws.ping())],
  ['pongs', (ws: WebSocket) => times(300, () => ws.pong())],
  ['bytes', (ws: WebSocket) => times(3, () => ws.send(`42/chat,["${'x'.repeat(20_000)}"]`))],
])(
  'a connection that sends more %s than any client has reason to is ended, and it alone',
  async (kind, send) => {
    const [busy, flooder] = await Promise.all([open('busy'), open(kind)]);
    times(90, () => busy.send(packet));
    await flood(flooder, () => send(flooder));
    expect(busy.readyState).toBe(WebSocket.OPEN);
    expect(floods.splice(0)).toEqual([kind]);
    busy.terminate();
  },
);

test('who is slow enough goes on for as long as it likes, and what it sends is told once a second', async () => {
  const ws = await open('judged');
  const closed = once(ws, 'close');
  const sending = setInterval(() => times(4, () => ws.send(packet)), 100);
  // The one who is told ends it the second time.
  await closed;
  clearInterval(sending);
  expect(judged).toHaveLength(2);
  for (const bytes of judged) expect(bytes).toBeGreaterThan(0);
  expect(floods.splice(0)).toEqual(['judged']);
});

function times(count: number, act: () => void): void {
  for (let n = 0; n < count; n += 1) act();
}

async function enter(ws: WebSocket): Promise<void> {
  await once(ws, 'open');
  ws.send('40/chat,');
  for (;;) {
    const [data] = await once(ws, 'message');
    if (String(data).startsWith('40/chat,')) return;
  }
}
