import { io, type Socket } from 'socket.io-client';
import { signToken } from '../../../../app/server/auth/hmac.ts';
import type { Inspection } from '../../../../app/server/http/admin/inspection.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import {
  readiness,
  spawnInstance,
  startInstance,
  type TestInstance,
} from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

const secret = 's'.repeat(32);
const serviceToken = 't'.repeat(32);

interface Admin extends TestInstance {
  readonly admin: string;
}

let redis: TestRedis;
let one: Admin;
let two: Admin;
const open: (() => unknown)[] = [];

async function start(id: string): Promise<Admin> {
  const port = String(await freePort());
  const instance = await startInstance(id, {
    REDIS_URL: redis.url,
    AUTH_SECRET: secret,
    SERVICE_TOKEN: serviceToken,
    ADMIN_PORT: port,
    LOG_LEVEL: 'debug',
  });
  return { ...instance, admin: `http://127.0.0.1:${port}` };
}

beforeAll(async () => {
  redis = await startRedis();
  [one, two] = await Promise.all([start('one'), start('two')]);
});
afterEach(() => {
  for (const close of open.splice(0)) close();
});
afterAll(async () => {
  await Promise.all([one.kill('SIGKILL'), two.kill('SIGKILL')]);
  await redis.stop();
});

function client(at: TestInstance, user: string, transport = 'websocket'): Promise<Socket> {
  const token = signToken({ sub: user, exp: Date.now() / 1000 + 600 }, secret);
  const socket = io(`${at.url}/chat`, { transports: [transport], auth: { token }, forceNew: true });
  open.push(() => socket.disconnect());
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });
}

type Scraped = Readonly<Record<string, number>>;

/** Each series with its labels in the order of the text: `name{a="b"}`. */
async function scrape({ admin }: Admin): Promise<Scraped> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** How much series of an instance rise while something is done. */
async function rising(at: Admin, action: () => Promise<unknown>): Promise<(series: string) => number> {
  const before = await scrape(at);
  await action();
  const after = await scrape(at);
  return (series) => (after[series] ?? 0) - (before[series] ?? 0);
}

async function untilScraped(at: Admin, series: string, value: number): Promise<void> {
  await eventually(`${series} to be ${value}`, async () => (await scrape(at))[series] === value);
}

type Inspected = Inspection & { readonly instance: string };

async function inspection(at: Admin, query = '', token = serviceToken) {
  const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${at.admin}/instance${query}`, { headers });
  return { code: response.status, body: (await response.json()) as Inspected };
}

const join = (socket: Socket, room: string, since?: object) =>
  socket.emitWithAck('join', { room, ...(since && { since }) });
const publish = (socket: Socket, room: string, id: string, body: unknown = 1) =>
  socket.emitWithAck('publish', { room, id, body });

test('joins, publishes, deliveries and their way across instances are counted where they happen', async () => {
  const [ann, ben, eve] = await Promise.all([client(one, 'ann'), client(two, 'ben'), client(two, 'eve')]);
  const heard: unknown[] = [];
  for (const socket of [ben, eve]) socket.on('message', (message) => heard.push(message));
  const atTwo = await rising(two, async () => {
    for (const socket of [ben, eve]) await join(socket, 'counted');
    const atOne = await rising(one, async () => {
      for (const id of ['1', '2', '2', '3']) await publish(ann, 'counted', id);
      await ann.emitWithAck('publish', { room: '', body: 1 });
      await ann.emitWithAck('publish', { room: 'counted', body: 'x'.repeat(70_000) });
    });
    expect(atOne('realtime_publishes_total{hub="chat",result="acknowledged"}')).toBe(3);
    expect(atOne('realtime_publishes_total{hub="chat",result="repeated"}')).toBe(1);
    expect(atOne('realtime_publishes_total{hub="chat",result="bad_request"}')).toBe(2);
    expect(atOne('realtime_deliveries_total{hub="chat"}')).toBe(0);
    await eventually('six deliveries', () => heard.length === 6);
  });
  expect(atTwo('realtime_joins_total{hub="chat"}')).toBe(2);
  expect(atTwo('realtime_deliveries_total{hub="chat"}')).toBe(6);
  expect(atTwo('realtime_publish_to_delivery_seconds_count')).toBe(1);
  expect(atTwo('realtime_members{hub="chat"}')).toBe(2);
});

test('who comes back is a replay, and who asks for more than there is hears of a loss', async () => {
  const ann = await client(one, 'ann');
  const first = await publish(ann, 'replayed', '1');
  await publish(ann, 'replayed', '2');
  const rise = await rising(one, async () => {
    await join(ann, 'replayed', { epoch: first.epoch, offset: 1 });
    await join(await client(one, 'ben'), 'replayed', { epoch: 'of-another-life', offset: 1 });
  });
  expect(rise('realtime_replays_total{hub="chat"}')).toBeGreaterThanOrEqual(1);
  expect(rise('realtime_replayed_messages_total{hub="chat"}')).toBeGreaterThanOrEqual(1);
  expect(rise('realtime_losses_reported_total{hub="chat"}')).toBe(1);
});

test('connections by transport, how they end, and handshakes that fail', async () => {
  const [socket, poller] = await Promise.all([client(one, 'ann'), client(one, 'ben', 'polling')]);
  await untilScraped(one, 'realtime_connections{transport="polling"}', 1);
  const ended = (reason: string) => `realtime_disconnects_total{reason="${reason}"}`;
  const before = await scrape(one);
  poller.io.engine.close();
  socket.io.engine.close();
  await untilScraped(one, 'realtime_connections{transport="polling"}', 0);
  await eventually('both ends', async () => {
    const after = await scrape(one);
    return (
      (after.realtime_connection_lifetime_seconds_count ?? 0) -
        (before.realtime_connection_lifetime_seconds_count ?? 0) >=
      2
    );
  });
  const after = await scrape(one);
  expect((after[ended('transport_close')] ?? 0) - (before[ended('transport_close')] ?? 0)).toBeGreaterThan(0);

  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  await upgradeAt(`${one.url}/socket.io/?EIO=4&transport=websocket&sid=of-another-instance`, upgrade);
  await fetch(`${one.url}/socket.io/?EIO=4&transport=polling&sid=of-another-instance`);
  await untilScraped(one, 'realtime_upgrade_failures_total{reason="unknown_session"}', 1);
  await untilScraped(one, 'realtime_polling_failures_total{reason="unknown_session"}', 1);
});

test('HTTP is told by route, and a path of a caller makes no series of its own', async () => {
  for (const path of ['/health/ready', '/nothing/1', '/nothing/2']) await fetch(one.url + path);
  await fetch(`${one.url}/api/hubs/chat/rooms/r/messages`, { method: 'POST' });
  const series = Object.keys(await scrape(one)).filter((name) =>
    name.includes('http_request_duration_seconds_count'),
  );
  expect(series.join('\n')).toContain('route="/health/ready",status="2xx"');
  expect(series.join('\n')).toContain('route="/api/hubs/:hub/rooms/:room/messages",status="4xx"');
  expect(series.filter((name) => name.includes('nothing'))).toEqual([]);
  expect(series.filter((name) => name.includes('unmatched'))).toHaveLength(1);
});

test('operators see rooms and users, page by page, and nobody else does', async () => {
  const [ann, ben] = await Promise.all([client(one, 'ann'), client(one, 'ben')]);
  await Promise.all([client(one, 'ann'), ...['a', 'b', 'c'].map((room) => join(ann, room)), join(ben, 'a')]);
  expect((await inspection(one, '', '')).code).toBe(401);
  expect((await inspection(one, '', 'x'.repeat(32))).code).toBe(403);
  expect((await inspection(one, '?limit=0')).code).toBe(400);

  const { body } = await inspection(one, '?hub=chat&limit=2&user=ann');
  expect(body).toMatchObject({ instance: 'one', readiness: 'ok', backplane: 'joined' });
  expect(body.rooms.items.map(({ room }) => room)).toEqual(['a', 'b']);
  expect(body.users).toEqual({ items: [{ hub: 'chat', user: 'ann', sockets: 2 }] });
  const rest = await inspection(one, `?hub=chat&user=ann&roomsAfter=${body.rooms.next}`);
  expect(rest.body.rooms).toMatchObject({ items: [{ room: 'c', members: 1, epoch: expect.any(String) }] });

  const room = await inspection(one, '?hub=chat&room=a');
  expect(room.body.rooms.items).toMatchObject([{ hub: 'chat', room: 'a', members: 2 }]);
  expect(room.body.users.items).toMatchObject([{ user: 'ann', sockets: 1 }, { user: 'ben' }]);
});

test('the public port has neither', async () => {
  const headers = { authorization: `Bearer ${serviceToken}` };
  for (const path of ['/metrics', '/instance']) {
    const response = await fetch(one.url + path, { headers });
    expect([path, response.headers.get('content-type')?.includes('text/plain') ?? false]).toEqual([
      path,
      false,
    ]);
    expect([path, response.status]).toEqual([path, 404]);
  }
});

test('without a service token there is no inspection', async () => {
  const port = String(await freePort());
  const alone = await startInstance('alone', { ADMIN_PORT: port });
  open.push(() => alone.kill('SIGKILL'));
  const response = await fetch(`http://127.0.0.1:${port}/instance`, {
    headers: { authorization: `Bearer ${serviceToken}` },
  });
  expect(response.status).toBe(404);
  expect(JSON.stringify(await response.json())).not.toMatch(/instance|token/);
});

test('a port that is taken ends the boot with the fix', async () => {
  const taken = one.admin.split(':').at(-1) as string;
  const second = await spawnInstance('second', { ADMIN_PORT: taken });
  expect(await second.ended()).toBe(1);
  expect(second.output()).toContain(`ADMIN_PORT: 127.0.0.1:${taken} can't be listened on`);
});

test('each line of a connection carries it, its hub and its user, and no secret', async () => {
  const ann = await client(one, 'ann-of-the-log');
  ann.disconnect();
  await eventually('both lines', () => /ann-of-the-log.*"disconnected"/.test(one.output()));
  const lines = one
    .output()
    .split('\n')
    .filter((line) => line.includes('ann-of-the-log'))
    .map((line) => JSON.parse(line));
  const thread = { hub: 'chat', connection: expect.any(String), user: 'ann-of-the-log' };
  expect(lines).toMatchObject([
    { ...thread, msg: 'connected', transport: 'websocket', address: '127.0.0.1' },
    {
      ...thread,
      msg: 'disconnected',
      reason: 'client namespace disconnect',
      lifetimeSeconds: expect.any(Number),
    },
  ]);
  expect(lines[0].connection).toBe(lines[1].connection);
  expect(one.output()).not.toMatch(/eyJ|t{32}|s{32}/);
});

test('Redis: its round trip, that it is away and for how long, and why, told to operators alone', async () => {
  await eventually(
    'a beat',
    async () => Number((await scrape(two)).realtime_redis_round_trip_seconds_count) > 0,
  );
  expect((await scrape(two))['realtime_backplane_status{status="joined"}']).toBe(1);
  await redis.stop();
  await untilScraped(two, 'realtime_backplane_status{status="degraded"}', 1);
  await eventually(
    'degraded seconds',
    async () => Number((await scrape(two)).realtime_degraded_seconds_total) > 0,
  );
  await eventually('errors', async () => {
    const errors = await scrape(two);
    return Number(errors['realtime_redis_errors_total{link="commands",fault="connect"}']) > 0;
  });
  const { body } = await inspection(two);
  expect(body).toMatchObject({ readiness: 'degraded', lastRedisFault: { message: expect.any(String) } });
  expect(await readiness(two)).toEqual({ code: 200, status: 'degraded' });
  const refused = await rising(two, async () => publish(await client(two, 'ann'), 'r', '1'));
  expect(refused('realtime_publishes_total{hub="chat",result="refused"}')).toBe(1);
  redis = await startRedis([], redis.port);
  await untilScraped(two, 'realtime_backplane_status{status="joined"}', 1);
  const settled = Number((await scrape(two)).realtime_degraded_seconds_total);
  expect(Number((await scrape(two)).realtime_degraded_seconds_total)).toBe(settled);
});

/** An upgrade by hand, since no client of ours sends a wrong one. Resolves when it is answered. */
async function upgradeAt(url: string, headers: Record<string, string>): Promise<void> {
  const { request } = await import('node:http');
  await new Promise<void>((resolve) => {
    const sent = request(url, { headers: { ...headers, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' } });
    sent.once('response', () => resolve());
    sent.once('error', () => resolve());
    sent.end();
  });
}
