import type { Socket } from 'socket.io-client';
import { z } from 'zod';
import { defineHub, type HubDefinition, method } from '../../../../app/server/hubs/define.ts';
import { type OpenHub, openHub } from '../../../../app/server/hubs/open.ts';
import type { createLog } from '../../../../app/server/process/log.ts';
import { openBackplane } from '../../../../app/server/redis/backplane.ts';
import { RpcError } from '../../../../app/server/rooms/rpc.ts';
import { openMemoryStore } from '../../../../app/server/rooms/store/store.ts';
import { serveHub } from '../../../../app/server/socketio/serve-hub.ts';
import { silent } from '../../../support/redis/link.ts';
import { openServer, type TestServer } from '../../../support/servers/socket-server.ts';
import { eventually } from '../../../support/wait.ts';

type Logger = ReturnType<typeof createLog>;

let server: TestServer;
let hub: OpenHub;
const lines: string[] = [];

async function open(definition: HubDefinition): Promise<void> {
  server = await openServer();
  const log = listeningTo(lines);
  hub = openHub(definition, {
    store: openMemoryStore(),
    backplane: await openBackplane({ sources: {}, deployment: 'd', instance: 'i', log }),
    instance: 'i',
    log,
  });
  serveHub(server.io, hub, { authenticate: undefined });
}
beforeEach(() => {
  lines.length = 0;
});
afterEach(async () => {
  hub.close();
  await server.close();
});

/** A log whose errors are kept. */
function listeningTo(lines: string[]): Logger {
  const log = Object.create(silent) as Logger;
  log.child = () => log as never;
  log.error = (({ err }: { err: Error }) => lines.push(err.message)) as Logger['error'];
  return log;
}

const games = defineHub({
  name: 'games',
  events: { moved: z.object({ room: z.string(), square: z.string() }) },
  limits: { rooms: 2, bodyBytes: 20 },
  authorize: (_identity, action, room) => (room === 'closed' || action === 'publish' ? undefined : {}),
  methods: {
    move: method(z.object({ room: z.string(), square: z.string().max(2) }), (call, { room, square }) => {
      if (!call.isMember(room)) throw new RpcError('forbidden', 'join first');
      call.broadcast(room, 'moved', { room, square });
      return { by: call.identity.subject };
    }),
    break: method(z.object({}), () => {
      throw new Error('a bug of the hub');
    }),
    misname: method(z.object({}), (call) => {
      call.broadcast('board', 'toString', {});
      return {};
    }),
  },
});

const ask = (socket: Socket, name: string, request: unknown) => socket.emitWithAck(name, request);

test('a method replies to its caller, and what it broadcasts reaches the members', async () => {
  await open(games);
  const [ann, ben] = await Promise.all([server.connect('games'), server.connect('games')]);
  const heard: unknown[] = [];
  ben.on('moved', (event) => heard.push(event));
  for (const socket of [ann, ben]) await ask(socket, 'join', { room: 'board' });
  expect(await ask(ann, 'move', { room: 'board', square: 'e4' })).toEqual({ ok: true, by: ann.id });
  await eventually('the event', () => heard.length > 0);
  expect(heard).toEqual([{ room: 'board', square: 'e4' }]);
});

test('a request that does not fit, a refusal and a bug are three different answers', async () => {
  await open(games);
  const ann = await server.connect('games');
  expect(await ask(ann, 'move', { room: 'board' })).toMatchObject({ error: { code: 'bad_request' } });
  expect(await ask(ann, 'move', { room: 'board', square: 'e4' })).toEqual({
    ok: false,
    error: { code: 'forbidden', message: 'join first' },
  });
  expect(lines).toEqual([]);
  expect(await ask(ann, 'break', {})).toMatchObject({ error: { code: 'internal' } });
  expect(lines.join()).toContain('a bug of the hub');
});

test('an event that was not defined is a bug, even where its name is one of every object', async () => {
  await open(games);
  const ann = await server.connect('games');
  expect(await ask(ann, 'misname', {})).toMatchObject({ error: { code: 'internal' } });
  expect(lines.join()).toContain('the hub defines no event toString');
});

test("the hub's authorize and its limits are held to, and leaving makes room", async () => {
  await open(games);
  const ann = await server.connect('games');
  expect(await ask(ann, 'join', { room: 'closed' })).toMatchObject({ error: { code: 'forbidden' } });
  expect(await ask(ann, 'publish', { room: 'a', body: 1 })).toMatchObject({ error: { code: 'forbidden' } });
  expect(await ask(ann, 'publish', { room: 'a', body: 'x'.repeat(19) })).toEqual({
    ok: false,
    error: { code: 'bad_request', message: 'body: must have at most 20 bytes as JSON' },
  });
  for (const room of ['a', 'b', 'a']) expect(await ask(ann, 'join', { room })).toMatchObject({ ok: true });
  expect(await ask(ann, 'join', { room: 'c' })).toEqual({
    ok: false,
    error: { code: 'forbidden', message: 'a connection may be in 2 rooms at once: leave some' },
  });
  await ask(ann, 'leave', { room: 'a' });
  expect(await ask(ann, 'join', { room: 'c' })).toMatchObject({ ok: true });
});

const ported = defineHub({
  name: 'ported',
  namespace: '/v1/app',
  roomMethods: false,
  events: 'any',
  onConnect: (call) => call.send('ready'),
  onEvent: async (call, event, args) => {
    if (event === 'join') return call.join(String(args[0]));
    if (event === 'shout') return call.emit('shouted', args, { exceptCaller: true });
    if (event === 'whisper') return call.emit('whispered', args.slice(1), { room: String(args[0]) });
    if (event === 'misname') return call.emit('connect', []);
    if (event === 'unsendable') return { count: 1n };
    return call.send('echo', event, ...args);
  },
});

test('a hub that was ported has every name to itself, in a namespace of its own', async () => {
  await open(ported);
  const [ann, ben] = await Promise.all([server.connect('v1/app'), server.connect('v1/app')]);
  const heard: unknown[] = [];
  ben.onAny((...all) => heard.push(all));
  expect(await ann.emitWithAck('join', 'board')).toBeUndefined();
  await ben.emitWithAck('join', 'board');
  await ann.emitWithAck('shout', 1, 'two');
  await ann.emitWithAck('whisper', 'board', { three: 3 });
  await ben.emitWithAck('publish', { room: 'board' });
  await eventually('all events', () => heard.length === 3);
  expect(heard).toEqual([
    ['shouted', 1, 'two'],
    ['whispered', { three: 3 }],
    ['echo', 'publish', { room: 'board' }],
  ]);
});

test("what a hub's own events do wrong is answered, and ends nothing", async () => {
  await open(ported);
  const ann = await server.connect('v1/app');
  expect(await ann.emitWithAck('misname')).toMatchObject({ error: { code: 'internal' } });
  expect(await ann.emitWithAck('unsendable')).toMatchObject({ error: { code: 'internal' } });
  expect(lines.join()).toContain('an event must not have a name of the transports, got: connect');
  expect(lines.join()).toContain('BigInt');
  const deep = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`);
  expect(await ann.emitWithAck('deep', deep)).toMatchObject({ error: { code: 'bad_request' } });
});
