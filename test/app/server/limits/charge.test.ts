import { openHub } from '../../../../app/client/hub.ts';
import { chargeCalls } from '../../../../app/server/limits/charge.ts';
import { openLimits } from '../../../../app/server/limits/limits.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store.ts';
import { startRoomsServer } from '../../../support/rooms-server.ts';

test('a client over its limit is told so before anything is done, and its publishes go through later', async () => {
  const limits = openLimits({
    deployment: 'test',
    rules: { publishesByUser: { name: 'publish', burst: 2, perSecond: 5 } },
  });
  const server = await startRoomsServer({
    store: openMemoryStore(),
    charge: chargeCalls(limits, (socket) => socket.handshake.address),
  });
  server.io.of('/chat').use((socket, next) => {
    socket.data.identity = { subject: 'ada', guest: false };
    next();
  });
  const hub = openHub<number>(server.url, 'chat', { forceNew: true });
  const heard: number[] = [];
  const told: unknown[] = [];
  const room = hub.join('r', { onMessage: ({ body }) => heard.push(body) });
  await room.joined;
  for (let n = 0; n < 3; n += 1) {
    told.push(await hub.socket.emitWithAck('publish', { room: 'r', id: `plain ${n}`, body: n }));
  }
  expect(told).toMatchObject([
    { ok: true },
    { ok: true },
    { ok: false, error: { code: 'rate_limited', message: expect.stringMatching(/^try again in \d+ ms$/) } },
  ]);
  const positions = await Promise.all([10, 11, 12].map((n) => room.publish(n)));
  expect(new Set(positions.map(({ offset }) => offset)).size).toBe(3);
  expect(heard).toHaveLength(5);
  hub.close();
  limits.close();
  await server.close();
});
