import { openHub as openClient } from '../../../../app/client/hub.ts';
import { defineHub } from '../../../../app/server/hubs/define.ts';
import { memberRates } from '../../../../app/server/hubs/member-rates.ts';
import { openHub } from '../../../../app/server/hubs/open.ts';
import { openLimits } from '../../../../app/server/limits/limits.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { serveHub } from '../../../../app/server/socketio/serve-hub.ts';
import { silent } from '../../../support/redis/link.ts';
import { openServer } from '../../../support/servers/socket-server.ts';

test('a client over its limit is told so before anything is done, and its publishes go through later', async () => {
  const limits = openLimits({
    deployment: 'test',
    rules: { publishesByUser: { name: 'publish', burst: 2, perSecond: 2 } },
  });
  const server = await openServer();
  const chat = openHub(defineHub({ name: 'chat' }), {
    store: openMemoryStore(),
    backplane: await openBackplane({ sources: {}, deployment: 'd', instance: 'i', log: silent }),
    instance: 'i',
    log: silent,
    ratesOf: (name) => memberRates(limits, name),
  });
  serveHub(server.io, chat, { authenticate: () => ({ subject: 'ada', guest: false }) });
  const hub = openClient<number>(server.url, 'chat', { forceNew: true });
  const heard: number[] = [];
  const room = hub.join('r', { onMessage: ({ body }) => heard.push(body) });
  await room.joined;
  const replies = await Promise.all(
    [0, 1, 2].map((n) => hub.socket.emitWithAck('publish', { room: 'r', id: `plain ${n}`, body: n })),
  );
  expect(replies).toMatchObject([
    { ok: true },
    { ok: true },
    { ok: false, error: { code: 'rate_limited', message: expect.stringMatching(/^try again in \d+ ms$/) } },
  ]);
  const positions = await Promise.all([10, 11, 12].map((n) => room.publish(n)));
  expect(new Set(positions.map(({ offset }) => offset)).size).toBe(3);
  expect(heard).toHaveLength(5);
  hub.close();
  limits.close();
  await chat.close();
  await server.close();
});
