import type { Logger } from 'pino';
import { z } from 'zod';
import { defineHub, method } from '../../../../app/server/hubs/define.ts';
import { openHub } from '../../../../app/server/hubs/open.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { serveHub } from '../../../../app/server/socketio/serve-hub.ts';
import { linesOf } from '../../../support/log-lines.ts';
import { openServer, type TestServer } from '../../../support/servers/socket-server.ts';
import { eventually } from '../../../support/wait.ts';

let server: TestServer;
const closing: (() => Promise<void>)[] = [];
beforeEach(async () => {
  server = await openServer();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await server.close();
});

async function open(name: string, log: Logger): Promise<void> {
  const definition = defineHub({
    name,
    methods: {
      break: method(z.object({ room: z.string() }), () => {
        const command = { name: 'auth', args: ['hunter2-and-more'] };
        throw Object.assign(new Error('a bug of the hub'), { command });
      }),
    },
  });
  const hub = openHub(definition, {
    store: openMemoryStore(),
    backplane: await openBackplane({ sources: {}, deployment: 'd', instance: 'i', log }),
    instance: 'i',
    log,
  });
  serveHub(server.io, hub, { authenticate: () => ({ subject: 'ann', guest: false }) });
  closing.push(() => hub.close());
}

test("a fault's line carries the connection, its hub, user and room, and no secret of the error", async () => {
  const { log, lines, text } = linesOf();
  await open('broken', log);
  const socket = await server.connect('broken');
  await socket.emitWithAck('break', { room: 'lobby' });
  const fault = lines().find(({ msg }) => msg === 'a hub method failed');
  expect(fault).toMatchObject({
    hub: 'broken',
    connection: socket.id,
    user: 'ann',
    room: 'lobby',
    level: 'error',
  });
  expect(fault?.err).toMatchObject({ message: 'a bug of the hub', stack: expect.any(String) });
  expect(text()).not.toContain('hunter2');
});

test('connections are logged at debug level alone', async () => {
  const [quiet, loud] = [linesOf('warn'), linesOf('debug')];
  await open('quiet', quiet.log);
  await open('loud', loud.log);
  const sockets = [await server.connect('quiet'), await server.connect('loud')];
  for (const socket of sockets) socket.disconnect();
  const ofLoud = () => loud.lines().filter(({ hub }) => hub === 'loud');
  await eventually('both lines', () => ofLoud().length === 2);
  const line = {
    hub: 'loud',
    connection: expect.any(String),
    user: 'ann',
    transport: 'websocket',
    address: '127.0.0.1',
  };
  expect(ofLoud()).toMatchObject([
    { ...line, msg: 'connected' },
    { ...line, msg: 'disconnected', reason: 'client namespace disconnect' },
  ]);
  expect(quiet.text()).toBe('');
});
