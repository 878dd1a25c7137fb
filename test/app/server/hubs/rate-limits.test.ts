import { io, type Socket } from 'socket.io-client';
import { z } from 'zod';
import { defineHub, method } from '../../../../app/server/hubs/define.ts';
import { openHub } from '../../../../app/server/hubs/open.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { serveHub } from '../../../../app/server/socketio/serve-hub.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { openServer } from '../../../support/servers/socket-server.ts';
import { eventually } from '../../../support/wait.ts';

const opened: (() => unknown)[] = [];
let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  for (const close of opened.reverse()) await close();
  await redis.stop();
});

const prints = defineHub({
  name: 'prints',
  rateLimits: { pages: { burst: 1_000, perSecond: 0.001 } },
  methods: {
    print: method(z.object({ pages: z.number(), of: z.string().optional() }), (call, { pages, of }) => {
      call.limit('pages', { tokens: pages, ...(of === undefined ? {} : { of }) });
      return {};
    }),
    misname: method(z.object({}), (call) => {
      call.limit('toString');
      return {};
    }),
  },
});

/** One instance, with a client of it. */
async function connect(instance: string): Promise<Socket> {
  const backplane = await openBackplane({
    sources: { url: redis.url },
    deployment: 'd',
    instance,
    log: silent,
  });
  await eventually('the backplane', () => backplane.status === 'joined');
  const hub = openHub(prints, {
    store: openMemoryStore(),
    backplane,
    instance,
    deployment: 'd',
    log: silent,
  });
  const server = await openServer();
  const end = serveHub(server.io, hub, { authenticate: () => ({ subject: 'ada', guest: false }) });
  const socket = io(`${server.url}/prints`, { forceNew: true, transports: ['websocket'] });
  opened.push(async () => {
    socket.disconnect();
    end();
    await server.close();
    await hub.close();
    await backplane.close();
  });
  return socket;
}

test('what one instance lets through counts on the others, by whatever it costs and whosever it is', async () => {
  const [one, two] = [await connect('one'), await connect('two')];
  const print = (socket: Socket, pages: number, of?: string) => socket.emitWithAck('print', { pages, of });
  const refused = {
    ok: false,
    error: { code: 'rate_limited', message: expect.stringMatching(/^try again in \d+ ms$/) },
  };

  expect(await print(one, 2_000)).toEqual({ ok: true });
  expect(await print(one, 1)).toEqual(refused);
  expect(await print(one, 1, 'a room')).toEqual({ ok: true });

  await eventually('Redis to know', () =>
    onRedis(redis.port, async (client) => (await client.keys('d:limit:*ada*')).length === 1),
  );
  // So much is worth a question to Redis.
  expect(await print(two, 500)).toEqual({ ok: true });
  await eventually('the other instance to know', async () => !(await print(two, 0)).ok);
  expect(await print(two, 1)).toEqual(refused);
  expect(await print(two, 1, 'a room')).toEqual({ ok: true });
});

test('a limit that the hub does not define is a fault of its code', async () => {
  const socket = await connect('three');
  expect(await socket.emitWithAck('misname', {})).toMatchObject({ ok: false, error: { code: 'internal' } });
});
