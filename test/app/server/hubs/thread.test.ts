import { z } from 'zod';
import { defineHub, method } from '../../../../app/server/hubs/define.ts';
import { openHub } from '../../../../app/server/hubs/open.ts';
import { tellConnections } from '../../../../app/server/hubs/thread.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store.ts';
import { linesOf } from '../../../support/log-lines.ts';
import { openServer } from '../../../support/socket-server.ts';
import { eventually } from '../../../support/wait.ts';

const broken = defineHub({
  name: 'broken',
  methods: {
    break: method(z.object({ room: z.string() }), () => {
      const command = { name: 'auth', args: ['hunter2-and-more'] };
      throw Object.assign(new Error('a bug of the hub'), { command });
    }),
  },
});

test("a fault's line carries the connection, its hub, user and room, and no secret of the error", async () => {
  const server = await openServer();
  const { log, lines, text } = linesOf();
  const hub = openHub(broken, {
    io: server.io,
    store: openMemoryStore(),
    backplane: await openBackplane({ sources: {}, deployment: 'd', instance: 'i', log }),
    instance: 'i',
    log,
    authenticate: () => ({ subject: 'ann', guest: false }),
    admit: () => undefined,
  });
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
  hub.close();
  await server.close();
});

test('connections are told at debug level alone, and cost nothing above it', async () => {
  const server = await openServer();
  const [quiet, loud] = [linesOf('info'), linesOf('debug')];
  tellConnections(server.io.of('/quiet'), quiet.log);
  tellConnections(server.io.of('/loud'), loud.log, () => '192.0.2.7');
  const sockets = [await server.connect('quiet'), await server.connect('loud')];
  for (const socket of sockets) socket.disconnect();
  await eventually('both lines', () => loud.lines().length === 2);
  expect(loud.lines()).toMatchObject([
    { hub: 'loud', connection: expect.any(String), msg: 'connected', address: '192.0.2.7' },
    { hub: 'loud', msg: 'disconnected', reason: 'client namespace disconnect' },
  ]);
  expect(quiet.text()).toBe('');
  expect(server.io.of('/quiet').listenerCount('connection')).toBe(0);
  await server.close();
});
