import { io, type Socket } from 'socket.io-client';
import { redisName } from '../../../../app/server/redis/keys.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { describeInFull } from '../../../support/full-runs.ts';
import { openCookielessProxy } from '../../../support/network/cookieless-proxy.ts';
import { startRedis } from '../../../support/redis/redis.ts';
import { onRedis } from '../../../support/redis/redis-client.ts';
import { startInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

const opened: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function cluster(more: NodeJS.ProcessEnv = {}) {
  const redis = await startRedis();
  opened.push(() => redis.stop());
  const start = async (id: string) => {
    const adminPort = await freePort();
    const environment = {
      REDIS_URL: redis.url,
      ADMIN_PORT: String(adminPort),
      DRAIN_SECONDS: '1',
      ...more,
    };
    const instance = await startInstance(id, environment);
    opened.push(() => instance.kill('SIGKILL'));
    const metrics = async () => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    return { ...instance, metrics };
  };
  const instances = await Promise.all(['one', 'two'].map(start));
  let next = 0;
  const proxy = await openCookielessProxy(
    instances.map(({ url }) => url),
    (count) => next++ % count,
  );
  opened.push(() => proxy.close());
  const connect = (transports: string[]): Socket => {
    const socket = io(`${proxy.url}/chat`, {
      transports,
      forceNew: true,
      reconnectionDelay: 20,
    });
    opened.push(() => socket.close());
    return socket;
  };
  return { instances, redis, proxy, connect };
}

const endsTotal = 'realtime_instance_ends_total';

async function sumOf(instances: readonly { metrics(): Promise<string> }[], series: string): Promise<number> {
  const texts = await Promise.all(instances.map(({ metrics }) => metrics()));
  return texts.reduce(
    (sum, text) => sum + Number(new RegExp(`^${series} (.+)$`, 'm').exec(text)?.[1] ?? 0),
    0,
  );
}

test('clients that poll and upgrade join rooms behind a proxy without cookies, and are counted once', async () => {
  const { instances, connect } = await cluster();
  // Each is relayed or not by chance.
  const count = 16;
  const clients = Array.from({ length: count }, () => connect(['polling', 'websocket']));
  const faults: string[] = [];
  const heard = clients.map((socket) => {
    const bodies: unknown[] = [];
    socket.on('message', ({ body }) => bodies.push(body));
    socket.on('connect_error', ({ message }) => faults.push(message));
    return bodies;
  });
  for (const socket of clients) {
    expect(await socket.emitWithAck('join', { room: 'lobby' })).toMatchObject({ ok: true });
  }
  for (const [body, socket] of clients.entries()) {
    expect(await socket.emitWithAck('publish', { room: 'lobby', body })).toMatchObject({ ok: true });
  }
  await eventually('all to have heard all', () => heard.every((bodies) => bodies.length === count));
  expect(heard.every((bodies) => bodies.every((body, index) => body === index))).toBe(true);
  expect(faults).toEqual([]);
  await eventually('all to be upgraded', () =>
    clients.every((socket) => socket.io.engine.transport.name === 'websocket'),
  );
  const series = (name: string) => sumOf(instances, name);
  expect(await series('realtime_connects_total')).toBe(count);
  expect(await series('realtime_connections\\{transport="websocket"\\}')).toBe(count);
  expect(await series('realtime_upgrade_failures_total\\{reason="\\w+"\\}')).toBe(0);
  const relayed = await series('realtime_relayed\\{kind="connection"\\}');
  expect(relayed).toBeGreaterThan(0);
  expect(await series('realtime_relayed_total\\{kind="connection"\\}')).toBe(relayed);
});

test('an instance that leaves sends away what it relays, and everyone hears everyone again', async () => {
  const { instances, proxy, connect } = await cluster();
  const leaving = instances[1] as (typeof instances)[0];
  const clients = Array.from({ length: 4 }, () => connect(['polling', 'websocket']));
  for (const socket of clients) {
    socket.on('connect', () => void socket.emit('join', { room: 'lobby' }, () => undefined));
  }
  await eventually('all to be upgraded', () =>
    clients.every((socket) => socket.connected && socket.io.engine.transport.name === 'websocket'),
  );
  leaving.process.kill('SIGTERM');
  expect(await leaving.ended()).toBe(0);
  proxy.targets = proxy.targets.filter((url) => url !== leaving.url);
  await eventually('all to be back', () => clients.every((socket) => socket.connected));
  const [first, ...others] = clients as [Socket, ...Socket[]];
  const heard = others.map((socket) => new Promise((resolve) => socket.on('message', resolve)));
  await eventually('all to be members', async () => {
    const { members } = await first.emitWithAck('presence', { room: 'lobby' });
    return members?.length === clients.length;
  });
  await first.emitWithAck('publish', { room: 'lobby', body: 1 });
  await Promise.all(heard);
});

describeInFull('faults', 'an instance that is killed', () => {
  test('what the end of a killed instance cut is counted by one that goes on: what it held, and what it relayed', async () => {
    const { instances, redis, proxy, connect } = await cluster();
    const clients = Array.from({ length: 6 }, () => connect(['polling', 'websocket']));
    await eventually('all to be upgraded', () =>
      clients.every((socket) => socket.connected && socket.io.engine.transport.name === 'websocket'),
    );
    const [victim, other] = instances as [(typeof instances)[0], (typeof instances)[0]];
    const served = await sumOf([victim], 'realtime_connections\\{transport="websocket"\\}');
    const relayed = await sumOf([victim], 'realtime_relayed\\{kind="connection"\\}');
    expect(served + relayed).toBeGreaterThan(0);
    await onRedis(redis.port, async (connection) => {
      const said = new Promise<void>((resolve) => {
        connection.on('smessage', (_channel, text) => {
          const { instance, ...now } = JSON.parse(text);
          if (instance === 'one' && now.connections === served && now.relayed === relayed) resolve();
        });
      });
      await connection.ssubscribe(redisName('realtime', 'instances'));
      await said;
    });
    await victim.kill('SIGKILL');
    proxy.targets = [other.url];
    const cut = (part: string) => sumOf([other], `realtime_sessions_cut_total\\{part="${part}"\\}`);
    await eventually('its end to be counted', async () => (await sumOf([other], endsTotal)) === 1);
    expect([await cut('served'), await cut('relayed')]).toEqual([served, relayed]);
    await eventually('all to be back', () => clients.every((socket) => socket.connected));
  });
});

describe('through a proxy and another instance', () => {
  /** What the proxy in front makes of it: who the client says it is, and who it is. */
  const from = (address: string) => ({ 'x-forwarded-for': `192.0.2.1, ${address}` });

  test('who comes has its own address, by which it is limited, and not that of what lies between', async () => {
    const { instances } = await cluster({ TRUSTED_PROXY_HOPS: '1', LOG_LEVEL: 'debug' });
    const [entry, holder] = instances as [(typeof instances)[0], (typeof instances)[0]];
    const negotiate = async (address: string) => {
      const url = `${holder.url}/chathub/negotiate?negotiateVersion=1`;
      const response = await fetch(url, { method: 'POST', headers: from(address) });
      return response.ok ? ((await response.json()) as { connectionToken: string }).connectionToken : '';
    };
    const ask = async (address: string, token: string, body?: string) => {
      const url = `${entry.url}/chathub?id=${token}`;
      const response = await fetch(url, { method: body ? 'POST' : 'GET', body, headers: from(address) });
      await response.arrayBuffer();
      return response.status;
    };
    const token = await negotiate('203.0.113.7');
    expect(await ask('203.0.113.7', token)).toBe(200);
    expect(await ask('203.0.113.7', token, '{"protocol":"json","version":1}\x1e')).toBe(200);
    const connected = () =>
      holder
        .output()
        .split('\n')
        .find((line) => line.includes('"connected"')) ?? '{}';
    await eventually('it to be connected', () => connected() !== '{}');
    expect(JSON.parse(connected())).toMatchObject({ transport: 'polling', address: '203.0.113.7' });
  });
});
