import { readdirSync } from 'node:fs';
import { io, type Socket } from 'socket.io-client';
import { environmentNames } from '../../../../app/names.ts';
import { startPrimaries } from '../../../support/redis/primaries.ts';
import type { TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

/** A cluster refuses what uses keys or channels of several slots, though one node has them all. */

const keep = stoppedAfterwards();
const token = 'a-service-token-of-the-test-with-32-characters';

test('whatever the service does it does in one slot at a time, with each of its scripts', async () => {
  const [server] = (await startPrimaries(1)) as [TestRedis];
  await keep(server);
  const redis = await connectRedis(server.port);
  await keep({ stop: async () => redis.disconnect() });
  await redis.config('SET', 'slowlog-log-slower-than', 0, 'slowlog-max-len', 100_000);
  const settings = {
    [environmentNames.redisUrl]: server.url,
    [environmentNames.serviceToken]: token,
    [environmentNames.backplane]: 'required',
    [environmentNames.pythonSocketio]: '/chat=emit',
  };
  const instances: TestInstance[] = [];
  for (const id of ['one', 'two']) {
    const instance = await startInstance(id, settings);
    instances.push(await keep({ ...instance, stop: () => instance.kill('SIGKILL') }));
  }
  await useAll(instances as [TestInstance, TestInstance]);
  const leaving = instances[1] as TestInstance;
  await leaving.kill('SIGTERM');
  const least = scriptFiles().length - triedElsewhere.length;
  await eventually(`${least} scripts to be run`, async () => (await scriptsRun()) >= least);

  const errors = String(await redis.info('errorstats'));
  expect(errors).not.toMatch(/CROSSSLOT|MOVED|ASK/);
  const logged = instances.map((instance) => instance.output()).join('\n');
  expect(logged).not.toMatch(/CROSSSLOT|not declared|non local key|NOSCRIPT/);

  /** How many different scripts were sent whole or by their hash. */
  async function scriptsRun(): Promise<number> {
    const entries = (await redis.call('SLOWLOG', 'GET', 100_000)) as [number, number, number, string[]][];
    const hashes = entries.flatMap(([, , , [command, first]]) =>
      command?.toLowerCase() === 'evalsha' ? [first] : [],
    );
    return new Set(hashes).size;
  }
});

/** What is done after deaths, losses and ten minutes: `stores.test.ts` and the tests of faults do it on a cluster. */
const triedElsewhere = ['announce', 'announce-loss', 'fence', 'registered', 'release'];

function scriptFiles(): string[] {
  const files = readdirSync('app/server', { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.lua') && !/(prelude|epochs)\.lua$/.test(file));
}

async function useAll([one, two]: [TestInstance, TestInstance]): Promise<void> {
  const sockets = {
    chat: [one, two].map((at) => connect(at, 'chat')),
    llm: [one, two].map((at) => connect(at, 'llm')),
  };
  const [ann, bob] = sockets.chat as [Socket, Socket];
  const [asker, reader] = sockets.llm as [Socket, Socket];
  const heard: unknown[] = [];
  bob.on('message', (message) => heard.push(message));
  const rooms = Array.from({ length: 20 }, (_, index) => `room ${index}`);
  for (const room of rooms) {
    for (const socket of [ann, bob]) expect(await ask(socket, 'join', { room })).toMatchObject({ ok: true });
    const said = { room, id: 'once', body: room };
    const first = await ask(ann, 'publish', said);
    expect(await ask(bob, 'publish', said)).toMatchObject({ ok: true });
    expect(await ask(ann, 'publish', said)).toEqual(first);
    expect(await ask(ann, 'publish', { room, body: 'without an id' })).toMatchObject({ ok: true });
    await ask(bob, 'join', { room, since: { epoch: first.epoch, offset: 0 } });
    ann.emit('typing', { room, typing: true });
    expect(await ask(bob, 'presence', { room })).toMatchObject({ ok: true });
  }
  await eventually('all to be heard', () => heard.length >= 3 * rooms.length);
  await tell(one, 'POST', '/api/hubs/chat/rooms/room%201/messages', { body: 'from a backend', id: 'b' });
  await tell(one, 'POST', '/api/bans', { hub: 'chat', room: 'room 1', subject: 'eve', forSeconds: 60 });
  await tell(two, 'DELETE', '/api/bans/chat/room%201/eve');
  for (const socket of [asker, reader]) await ask(socket, 'join', { room: 'answers' });
  const asked = await ask(asker, 'ask', { room: 'answers', id: 'q', prompt: 'What may I do?' });
  expect(asked).toMatchObject({ ok: true });
  await ask(asker, 'cancel', { turn: asked.turn });
  const ended: string[] = [];
  reader.on('message', ({ body }) => 'final' in body && ended.push(body.final));
  expect(await ask(asker, 'ask', { room: 'answers', id: 'r', prompt: 'count to 3' })).toMatchObject({
    ok: true,
  });
  await eventually('the answer to end', () => ended.includes('done'));
  for (const room of rooms) await ask(ann, 'leave', { room });
  for (const socket of [...sockets.chat, ...sockets.llm]) socket.disconnect();
}

function connect({ url }: TestInstance, hub: string): Socket {
  return io(`${url}/${hub}`, { transports: ['websocket'], forceNew: true });
}

const ask = (socket: Socket, event: string, request: object) =>
  socket.timeout(60_000).emitWithAck(event, request);

async function tell({ url }: TestInstance, method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect([path, response.status, await response.text()]).toEqual([
    path,
    expect.any(Number),
    expect.any(String),
  ]);
  expect(response.status).toBeLessThan(300);
}
