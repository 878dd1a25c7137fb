import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { clientAddress } from '../../../../app/server/net/client-address.ts';
import { markRelayed, relayedBy } from '../../../../app/server/net/relayed.ts';
import { envelopeHeader } from '../../../../app/server/relay/envelope.ts';
import { addressKey } from '../../../../app/server/relay/keys.ts';
import { Relay } from '../../../../app/server/relay/relay.ts';
import { relayEngine } from '../../../../app/server/relay/relay-engine.ts';
import { type CookielessProxy, openCookielessProxy } from '../../../support/network/cookieless-proxy.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';

interface Instance {
  readonly name: string;
  readonly url: string;
  readonly http: HttpServer;
  readonly io: Server;
  readonly relay: Relay;
  stop(): Promise<void>;
}

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  await redis.flushall();
});

async function instance(name: string): Promise<Instance> {
  const http = createServer((_request, response) => response.end(name));
  const io = new Server(http, { serveClient: false, maxHttpBufferSize: 100_000, cors: { origin: '*' } });
  io.on('connection', (socket) => {
    socket.on('echo', (value, reply) => reply(value));
    socket.on('push', (count: number) => {
      for (let index = 0; index < count; index += 1) socket.emit('pushed', index);
    });
    socket.emit('hello', name);
  });
  const relay = new Relay({
    deployment: 'test',
    instance: name,
    redis: () => redis,
    server: http,
    host: () => '127.0.0.1',
    listen: { host: '127.0.0.1', port: 0 },
    largestBody: 100_000,
  });
  relayEngine(io.engine, relay);
  await relay.open();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      await relay.close();
      await io.close();
    })();
    return stopped;
  };
  opened.push(stop);
  return { name, url: urlOf(http), http, io, relay, stop };
}

function urlOf(http: HttpServer): string {
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

async function cluster(choose?: (count: number) => number) {
  const instances = await Promise.all(['one', 'two', 'three'].map(instance));
  const proxy = await openCookielessProxy(
    instances.map(({ url }) => url),
    choose,
  );
  opened.push(() => proxy.close());
  return { instances, proxy };
}

function client({ url }: Pick<CookielessProxy, 'url'>, transports: string[]): Socket {
  const socket = connect(url, {
    transports,
    forceNew: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
  });
  opened.push(async () => void socket.close());
  return socket;
}

/** All requests and upgrades that went by another instance than the one that answered. */
const relayedOf = (instances: readonly Instance[]) => ({
  requests: instances.reduce((sum, { relay }) => sum + relay.requests, 0),
  upgrades: instances.reduce((sum, { relay }) => sum + relay.upgrades, 0),
});

const inTurn = () => {
  let next = 0;
  return (count: number) => next++ % count;
};

describe.each([[['polling']], [['polling', 'websocket']], [['websocket']]])(
  'behind a proxy without cookies, by %j',
  (transports) => {
    test('clients connect once, and all that they say and hear comes once and in order', async () => {
      const { instances, proxy } = await cluster(inTurn());
      const clients = Array.from({ length: 10 }, () => {
        const socket = client(proxy, transports);
        const heard: number[] = [];
        const faults: string[] = [];
        socket.on('pushed', (index) => heard.push(index));
        socket.on('connect_error', (error) => faults.push(error.message));
        socket.on('disconnect', (reason) => faults.push(reason));
        return { socket, heard, faults };
      });
      await Promise.all(
        clients.map(async ({ socket, heard }) => {
          socket.emit('push', 20);
          const said = Array.from({ length: 20 }, (_value, index) => index);
          expect(await Promise.all(said.map((index) => socket.emitWithAck('echo', index)))).toEqual(said);
          const bytes = Buffer.alloc(3_000, 7);
          expect(Buffer.compare(await socket.emitWithAck('echo', bytes), bytes)).toBe(0);
          await eventually('all that was pushed', () => heard.length === 20);
          expect(heard).toEqual(said);
        }),
      );
      if (transports.length > 1) {
        await eventually('all to be upgraded', () =>
          clients.every(({ socket }) => socket.io.engine.transport.name === 'websocket'),
        );
        expect(relayedOf(instances).upgrades).toBeGreaterThan(0);
      }
      if (transports[0] === 'polling') expect(relayedOf(instances).requests).toBeGreaterThan(0);
      expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
      const engines = instances.map(({ io }) => io.engine.clientsCount);
      expect(engines.reduce((sum, count) => sum + count)).toBe(10);
    });
  },
);

test('a client whose instance is gone is told that nobody knows its session, and comes back', async () => {
  const { instances, proxy } = await cluster(inTurn());
  const socket = client(proxy, ['polling']);
  const [home] = (await new Promise<string[]>((resolve) =>
    socket.once('hello', (name) => resolve([name])),
  )) as [string];
  const gone = instances.find(({ name }) => name === home) as Instance;
  const disconnected = new Promise((resolve) => socket.once('disconnect', resolve));
  const back = disconnected.then(() => new Promise((resolve) => socket.once('hello', resolve)));
  proxy.targets = proxy.targets.filter((url) => url !== gone.url);
  await gone.stop();
  expect(await back).not.toBe(home);
});

test('what a client can not have made is answered here, by the engine', async () => {
  const { instances } = await cluster();
  const [one, two] = instances as [Instance, Instance];
  const foreign = `AAAAAAAAAAAAAAAAAAAA.${Math.floor(Date.now() / 604_800_000).toString(36)}.AAAAAAAAAAAAAAAA.two`;
  for (const id of ['x', foreign, `${await two.relay.ids.create()}x`, 'a.b.c.two']) {
    const answer = await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${encodeURIComponent(id)}`);
    expect([answer.status, await answer.json()]).toEqual([400, { code: 1, message: 'Session ID unknown' }]);
  }
  expect(relayedOf(instances).requests).toBe(0);
});

test('an instance that was started again under its name is found where it is now', async () => {
  const [one, two] = await Promise.all([instance('one'), instance('two')]);
  const ask = async (id: string) =>
    (await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${id}`)).json();
  const id = await two.relay.ids.create();
  // The one that answers says that it has no such session: it was reached.
  expect(await ask(id)).toMatchObject({ code: 1 });
  await two.stop();
  const again = await instance('two');
  const answered = new Promise<IncomingMessage>((resolve) => again.http.once('request', resolve));
  expect(await ask(await again.relay.ids.create())).toMatchObject({ code: 1 });
  expect(relayedBy(await answered)).toMatchObject({ from: 'one', to: 'two' });
  expect(one.relay.unreachable).toBe(0);
});

test.each([
  'no JSON',
  '{"host":"127.0.0.1","port":70000}',
  '{"host":"a b\\n","port":80}',
  '{"host":1,"port":80}',
  'null',
])('what is no address in Redis (%s) is nobody, and ends nothing', async (stored) => {
  const { instances } = await cluster();
  const [one, two] = instances as [Instance, Instance];
  await redis.set(addressKey('test', 'two'), stored);
  const url = `${one.url}/socket.io/?EIO=4&transport=polling&sid=${await two.relay.ids.create()}`;
  expect(await (await fetch(url)).json()).toMatchObject({ code: 1 });
});

test('an instance that has closed its relay takes nothing more to relay', async () => {
  const { instances } = await cluster();
  const [one, two] = instances as [Instance, Instance];
  const url = `${one.url}/socket.io/?EIO=4&transport=polling&sid=${await two.relay.ids.create()}`;
  await one.relay.close();
  expect(await (await fetch(url)).json()).toMatchObject({ code: 1 });
  expect([one.relay.requests, one.relay.count]).toEqual([0, 0]);
});

test('an address that now is of another instance is not taken for the first one', async () => {
  const { instances } = await cluster();
  const [one, two, three] = instances as [Instance, Instance, Instance];
  await redis.set(addressKey('test', 'two'), (await redis.get(addressKey('test', 'three'))) as string);
  let asked = 0;
  three.http.on('request', () => {
    asked += 1;
  });
  const id = await two.relay.ids.create();
  const answer = await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${id}`);
  expect(answer.status).toBe(400);
  expect([asked, one.relay.unreachable]).toEqual([0, 1]);
});

describe('the relay listener', () => {
  const portOf = async (name: string) =>
    JSON.parse((await redis.get(addressKey('test', name))) as string).port;

  test('takes nothing that no instance has sealed, and no envelope from clients', async () => {
    const [one, two] = await Promise.all([instance('one'), instance('two')]);
    const relayPort = await portOf('two');
    const { status } = await fetch(`http://127.0.0.1:${relayPort}/`);
    expect(status).toBe(421);
    // One instance's envelope, as it came: it holds for its own request alone.
    const received = new Promise<IncomingMessage>((resolve) => two.http.once('request', resolve));
    const id = await two.relay.ids.create();
    const url = `/socket.io/?EIO=4&transport=polling&sid=${id}`;
    await fetch(`${one.url}${url}`, { headers: { [envelopeHeader]: 'from a client' } });
    const { headers, rawHeaders } = await received;
    expect(rawHeaders.filter((name) => name.toLowerCase() === envelopeHeader)).toHaveLength(1);
    const replayed = await fetch(`http://127.0.0.1:${relayPort}/socket.io/?EIO=4`, {
      headers: { [envelopeHeader]: headers[envelopeHeader] as string },
    });
    expect(replayed.status).toBe(421);
  });

  test('says from which address a client came, whatever the client says', async () => {
    const [one, two] = await Promise.all([instance('one'), instance('two')]);
    const received = new Promise<IncomingMessage>((resolve) => two.http.once('request', resolve));
    const id = await two.relay.ids.create();
    await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${id}`);
    expect(relayedBy(await received)).toEqual({ from: 'one', to: 'two', address: '127.0.0.1' });
    expect(relayedBy({})).toBeUndefined();
    const request = { headers: {}, socket: { remoteAddress: '10.0.0.9' } };
    markRelayed(request, { from: 'one', to: 'two', address: '198.51.100.7' });
    expect(clientAddress(request, 0)).toBe('198.51.100.7');
  });
});

test('a body that is too large is refused where it comes in', async () => {
  const [one, two] = await Promise.all([instance('one'), instance('two')]);
  const id = await two.relay.ids.create();
  const answer = await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${id}`, {
    method: 'POST',
    body: 'x'.repeat(200_000),
  });
  expect(answer.status).toBe(413);
  expect(one.relay.requests).toBe(0);
});

test('a draining entry closes what it relays, and the session ends where it lives', async () => {
  const [one, two] = await Promise.all([instance('one'), instance('two')]);
  let next = 0;
  // The handshake reaches one instance, and all that follows the other.
  const proxy = await openCookielessProxy([two.url, one.url], () => Math.min(next++, 1));
  opened.push(() => proxy.close());
  const socket = client(proxy, ['polling', 'websocket']);
  await eventually(
    'the upgrade',
    () => one.relay.upgrades === 1 && socket.io.engine.transport.name === 'websocket',
  );
  expect(one.relay.count).toBe(1);
  const left = new Promise((resolve) =>
    two.io.sockets.sockets.values().next().value?.once('disconnect', resolve),
  );
  for (const exchange of [...one.relay]) exchange.close();
  await left;
  await eventually('none to be left', () => one.relay.count === 0);
});

test('while Redis is away, what is known goes on', async () => {
  const { instances, proxy } = await cluster(inTurn());
  const socket = client(proxy, ['polling']);
  for (let count = 0; count < 12; count += 1) expect(await socket.emitWithAck('echo', count)).toBe(count);
  const away = new Error('away');
  for (const method of ['get', 'set', 'del'] as const) {
    jest.spyOn(redis, method).mockImplementation((() => Promise.reject(away)) as never);
  }
  try {
    const before = relayedOf(instances).requests;
    for (let count = 0; count < 12; count += 1) expect(await socket.emitWithAck('echo', count)).toBe(count);
    expect(relayedOf(instances).requests).toBeGreaterThan(before);
  } finally {
    jest.restoreAllMocks();
  }
});

test('a request that its client gives up is given up there', async () => {
  const [one, two] = await Promise.all([instance('one'), instance('two')]);
  const handshake = await fetch(`${two.url}/socket.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await handshake.text()).slice(1)) as { sid: string };
  const there = new Promise<IncomingMessage>((resolve) => two.http.once('request', resolve));
  const poll = request(`${one.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`);
  poll.on('error', () => undefined);
  poll.end();
  const incoming = await there;
  // Node says that it is aborted by an error.
  incoming.on('error', () => undefined);
  const closed = new Promise((resolve) => incoming.once('close', resolve));
  poll.destroy();
  await closed;
});
