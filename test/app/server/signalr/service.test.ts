import { once } from 'node:events';
import {
  HttpTransportType,
  type HubConnection,
  HubConnectionBuilder,
  type IHttpConnectionOptions,
  LogLevel,
} from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import { io, type Socket } from 'socket.io-client';
import WebSocket from 'ws';
import type { Message } from '../../../../app/protocol/hub.ts';
import { signToken, type TokenClaims } from '../../../../app/server/auth/hmac.ts';
import { freePort } from '../../../../lib/local/processes/ports.ts';
import { type CookielessProxy, openCookielessProxy } from '../../../support/network/cookieless-proxy.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

/** The service as a process, several times, and Microsoft's client as it is: behind a proxy without cookies. */

const secret = 's'.repeat(32);
const serviceToken = 't'.repeat(32);
const { WebSockets, ServerSentEvents, LongPolling } = HttpTransportType;

const rows = [
  ['WebSockets', 'json', WebSockets],
  ['WebSockets', 'messagepack', WebSockets],
  ['Server-Sent Events', 'json', ServerSentEvents],
  ['long polling', 'json', LongPolling],
  ['long polling', 'messagepack', LongPolling],
] as const;
/** `npm run test:signalr` tries all of them, and a test run of everything some of each kind. */
const isFull = process.env.SIGNALR === 'full';
const rowsOf = (...some: number[]) => (isFull ? rows : rows.filter((_row, index) => some.includes(index)));
type Encoding = (typeof rows)[number][1];

interface Instance extends TestInstance {
  metrics(): Promise<string>;
}

let redis: TestRedis;
let instances: Instance[];
let proxy: CookielessProxy;
const opened: (() => unknown)[] = [];

async function start(id: string, environment: NodeJS.ProcessEnv = {}): Promise<Instance> {
  const adminPort = await freePort();
  const instance = await startInstance(id, {
    REDIS_URL: redis.url,
    AUTH_SECRET: secret,
    SERVICE_TOKEN: serviceToken,
    ADMIN_PORT: String(adminPort),
    LOG_LEVEL: 'debug',
    DRAIN_SECONDS: '1',
    ...environment,
  });
  return { ...instance, metrics: async () => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text() };
}

async function openProxy(targets: readonly TestInstance[]): Promise<CookielessProxy> {
  let next = 0;
  return openCookielessProxy(
    targets.map(({ url }) => url),
    (count) => next++ % count,
  );
}

beforeAll(async () => {
  redis = await startRedis();
  instances = await Promise.all(['one', 'two', 'three'].map((id) => start(id)));
  proxy = await openProxy(instances);
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});
afterAll(async () => {
  await proxy.close();
  await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
  await redis.stop();
});

const tokenOf = (sub: string, claims: Partial<TokenClaims> = {}) =>
  signToken({ sub, exp: Date.now() / 1_000 + 600, ...claims }, secret);

interface ClientOptions extends IHttpConnectionOptions {
  readonly url?: string;
  readonly hub?: string;
  readonly user?: string;
  readonly encoding?: Encoding;
}

function build({
  url = proxy.url,
  hub = 'chathub',
  user = 'ada',
  encoding = 'json',
  ...options
}: ClientOptions) {
  const builder = new HubConnectionBuilder()
    .withUrl(`${url}/${hub}`, { accessTokenFactory: () => tokenOf(user), ...options })
    .withAutomaticReconnect([0, 50, 100, 200, 500, 1_000, 2_000, 4_000])
    .configureLogging(LogLevel.None);
  const client = (
    encoding === 'json' ? builder : builder.withHubProtocol(new MessagePackHubProtocol())
  ).build();
  opened.push(() => client.stop());
  return client;
}

async function connect(options: ClientOptions = {}): Promise<HubConnection> {
  const client = build(options);
  await client.start();
  return client;
}

function heardBy(client: HubConnection): unknown[] {
  const bodies: unknown[] = [];
  client.on('message', ({ body }: Message) => void bodies.push(body));
  return bodies;
}

function socketOf(at: string, user: string): Socket {
  const socket = io(`${at}/chat`, {
    transports: ['websocket'],
    auth: { token: tokenOf(user) },
    forceNew: true,
  });
  opened.push(() => socket.disconnect());
  return socket;
}

const messageOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    ({ message }: Error) => message,
  );

const sumOf = async (series: string) => {
  const texts = await Promise.all(instances.map(({ metrics }) => metrics()));
  return texts.reduce(
    (sum, text) => sum + Number(new RegExp(`^${series} (.+)$`, 'm').exec(text)?.[1] ?? 0),
    0,
  );
};

describe.each(rows)('%s with %s', (_name, encoding, transport) => {
  test('rooms are the same for clients of both kinds, on all instances', async () => {
    const room = `room ${encoding} ${transport}`;
    const client = await connect({ transport, encoding });
    const other = await connect({ user: 'bob' });
    const socket = socketOf(proxy.url, 'eve');
    const bodies: unknown[][] = [heardBy(client), heardBy(other), []];
    socket.on('message', ({ body }) => bodies[2]?.push(body));
    expect(await client.invoke('Join', room)).toMatchObject({ ok: true, recovered: true, messages: [] });
    expect(await other.invoke('join', { room })).toMatchObject({ ok: true });
    expect(await socket.emitWithAck('join', { room })).toMatchObject({ ok: true });

    expect(await client.invoke('Publish', room, { n: 1 })).toMatchObject({ ok: true, offset: 1 });
    expect(await other.invoke('PUBLISH', { room, body: 'two', id: 'x' })).toMatchObject({ offset: 2 });
    expect(await socket.emitWithAck('publish', { room, body: [3] })).toMatchObject({ offset: 3 });
    const response = await fetch(`${proxy.url}/api/hubs/chat/rooms/${encodeURIComponent(room)}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
      body: '{"body":null}',
    });
    expect(response.status).toBe(201);
    const all = [{ n: 1 }, 'two', [3], null];
    await eventually('everyone to have heard everything', () => bodies.every(({ length }) => length === 4));
    expect(bodies).toEqual([all, all, all]);

    // A repeat is one message, and `since` brings what was missed.
    const first = await client.invoke('Publish', room, 'again', 'id');
    expect(await client.invoke('Publish', room, 'again', 'id')).toEqual(first);
    const late = await connect({ user: 'dan', transport, encoding });
    const { messages } = await late.invoke('Join', room, { epoch: first.epoch, offset: 1 });
    expect(messages.map(({ body }: Message) => body)).toEqual(['two', [3], null, 'again']);

    await eventually('all four to be there', async () => {
      const { members } = await late.invoke('Presence', room);
      return ['ada', 'bob', 'dan', 'eve'].every((subject) => members.includes(subject));
    });
    expect(await client.invoke('Leave', room)).toEqual({ ok: true });
    expect(await messageOf(client.invoke('Presence', room))).toContain(
      'HubException: forbidden: join the room',
    );
  });

  test('what is refused says so in an error with the code in front', async () => {
    const client = await connect({ transport, encoding });
    const words = (text: string) => expect.stringContaining(`HubException: ${text}`);
    expect(await messageOf(client.invoke('Join'))).toEqual(words('bad_request: room:'));
    expect(await messageOf(client.invoke('Join', 'r', null, null, 4))).toEqual(
      words('bad_request: takes one object or (room, since?, acked?), got: 4 arguments'),
    );
    expect(await messageOf(client.invoke('Publish', 'r', 'x'.repeat(70_000)))).toEqual(
      words('bad_request: body: must have at most 65536 bytes'),
    );
    expect(await messageOf(client.invoke('Typing', 'elsewhere'))).toEqual(words('forbidden: join the room'));
    const feed = await connect({ transport, encoding, hub: 'bothub' });
    expect(await messageOf(feed.invoke('Publish', 'r', 1))).toEqual(words('forbidden:'));
    expect(await messageOf(feed.invoke('Ask', 'r', 'x'))).toBe("Unknown hub method 'Ask'");
    const roomless = await connect({
      transport,
      encoding,
      accessTokenFactory: () => tokenOf('guest', { rooms: ['chat/lobby'] }),
    });
    expect(await messageOf(roomless.invoke('Join', 'other'))).toEqual(words('forbidden:'));
    expect(await roomless.invoke('Join', 'lobby')).toMatchObject({ ok: true });
  });

  test('an answer of the AI chat is read by everyone in the room', async () => {
    const asker = await connect({ transport, encoding, hub: 'llmhub' });
    const room = `ai ${encoding} ${transport}`;
    const heard: { turn: string; final?: string }[] = heardBy(asker) as never;
    await asker.invoke('Join', room);
    const { turn } = await asker.invoke('Ask', room, 'what is a backplane?');
    await eventually('the end of the answer', () => heard.some(({ final }) => final === 'done'));
    expect(heard.every((body) => body.turn === turn)).toBe(true);
    const second = await asker.invoke('Ask', { room, prompt: 'tell me a very long story', id: 'mine' });
    await asker.invoke('Cancel', second.turn);
    await eventually('its end', () =>
      heard.some((body) => body.turn === second.turn && body.final !== undefined),
    );
  });
});

describe.each(rowsOf(0, 4))('%s with %s', (_name, encoding, transport) => {
  test('its instance is killed: it comes back on another one, and misses nothing that it asks for', async () => {
    const own = await Promise.all(['a', 'b', 'c'].map((id) => start(`${id}-${encoding}-${transport}`)));
    const front = await openProxy(own);
    opened.push(async () => {
      await front.close();
      await Promise.all(own.map((instance) => instance.kill('SIGKILL')));
    });
    const client = build({ url: front.url, transport, encoding });
    const welcomed: string[] = [];
    client.on('welcome', ({ instance }) => void welcomed.push(instance));
    const heard = heardBy(client);
    await client.start();
    const room = `killed ${encoding} ${transport}`;
    const { epoch, offset } = await client.invoke('Join', room);
    await eventually('its welcome', () => welcomed.length === 1);
    const back = new Promise((resolve) => client.onreconnected(resolve));
    const gone = own.find(({ id }) => id === welcomed[0]) as Instance;
    front.targets = front.targets.filter((url) => url !== gone.url);
    await gone.kill('SIGKILL');
    const others = own.filter((instance) => instance !== gone);
    const speaker = socketOf(others[0]?.url as string, 'bob');
    expect(await speaker.emitWithAck('publish', { room, body: 'meanwhile' })).toMatchObject({ ok: true });
    await back;
    const { messages } = await client.invoke('Join', room, { epoch, offset });
    expect(messages.map(({ body }: Message) => body)).toEqual(['meanwhile']);
    await speaker.emitWithAck('publish', { room, body: 'live' });
    await eventually('the next message', () => heard.length === 1);
    expect(heard).toEqual(['live']);
    await eventually('another welcome', () => welcomed.length === 2);
    expect(welcomed[1]).not.toBe(welcomed[0]);
  });
});

describe.each(rowsOf(1, 2, 3))('%s with %s', (_name, encoding, transport) => {
  test('its instance leaves: it comes back elsewhere by itself, and negotiations go on being answered', async () => {
    const [leaving, staying] = (await Promise.all(
      ['leaving', 'staying'].map((id) => start(`${id}-${encoding}-${transport}`, { DRAIN_SECONDS: '3' })),
    )) as [Instance, Instance];
    opened.push(() => Promise.all([leaving, staying].map((instance) => instance.kill('SIGKILL'))));
    const front = await openProxy([leaving]);
    opened.push(() => front.close());
    const clients = await Promise.all(
      Array.from({ length: 8 }, async (_value, number) => {
        const client = build({ url: front.url, transport, encoding, user: `user ${number}` });
        const welcomed: string[] = [];
        client.on('welcome', ({ instance }) => void welcomed.push(instance));
        await client.start();
        await client.invoke('Join', 'r');
        return { client, welcomed, closed: [] as unknown[] };
      }),
    );
    for (const { client, closed } of clients) client.onclose((error) => closed.push(error));
    front.targets = [leaving.url, staying.url];
    leaving.process.kill('SIGTERM');
    await eventually('all of them to be with others', () =>
      clients.every(({ welcomed }) => welcomed.length > 1 && welcomed.at(-1) !== leaving.id),
    );
    expect(await leaving.ended()).toBe(0);
    for (const { client } of clients) expect(await client.invoke('Join', 'r')).toMatchObject({ ok: true });
    expect(clients.flatMap(({ closed }) => closed)).toEqual([]);
  });
});

interface Streamed<T> {
  readonly items: T[];
  readonly ended: Promise<string>;
  cancel(): void;
}

function streamOf<T>(client: HubConnection, name: string, ...args: unknown[]): Streamed<T> {
  const items: T[] = [];
  let cancel = () => {};
  const ended = new Promise<string>((resolve) => {
    const subscription = client.stream<T>(name, ...args).subscribe({
      next: (item) => void items.push(item),
      complete: () => resolve('complete'),
      error: ({ message }) => resolve(message),
    });
    cancel = () => subscription.dispose();
  });
  return { items, ended, cancel };
}

describe.each(rows)('streams, by %s with %s', (_name, encoding, transport) => {
  test('a room is followed from a position on, live, and until it is not wanted', async () => {
    const room = `followed ${encoding} ${transport}`;
    const [speaker, reader] = [await connect({ user: 'bob' }), await connect({ transport, encoding })];
    const { epoch } = await speaker.invoke('Publish', room, 1);
    for (const body of [2, 3]) await speaker.invoke('Publish', room, body);
    const stream = streamOf<Message>(reader, 'Follow', room, { epoch, offset: 1 });
    await eventually('what was missed', () => stream.items.length === 2);
    const live = streamOf<Message>(reader, 'follow', { room });
    await eventually('it to be a member', async () => {
      await speaker.invoke('Publish', room, 'live');
      return live.items.length > 0;
    });
    expect(live.items[0]).toMatchObject({ room, from: 'bob', body: 'live' });
    const last = await speaker.invoke('Publish', room, 'last');
    await eventually('the last', () => stream.items.at(-1)?.body === 'last');
    expect(stream.items.map(({ offset }) => offset)).toEqual(
      Array.from({ length: last.offset - 1 }, (_value, index) => index + 2),
    );
    stream.cancel();
    expect(await streamOf(reader, 'Follow').ended).toContain('HubException: bad_request: room:');
    const stranger = await connect({
      transport,
      encoding,
      accessTokenFactory: () => tokenOf('guest', { rooms: ['chat/lobby'] }),
    });
    expect(await streamOf(stranger, 'Follow', room).ended).toContain('HubException: forbidden:');
  });

  test('an answer comes piece by piece, is found again by its id, and ends when it is cancelled', async () => {
    const room = `answered ${encoding} ${transport}`;
    const [asker, reader] = [
      await connect({ transport, encoding, hub: 'llmhub' }),
      await connect({ user: 'bob', hub: 'llmhub' }),
    ];
    const heard: { turn: string; final?: string; text: string }[] = heardBy(reader) as never;
    await reader.invoke('Join', room);
    const answer = streamOf<string>(asker, 'Answer', room, 'what is a backplane?', 'first');
    await eventually('its first piece', () => answer.items.length > 0);
    const again = streamOf<string>(asker, 'Answer', room, 'what is a backplane?', 'first');
    expect([await answer.ended, await again.ended]).toEqual(['complete', 'complete']);
    await eventually('its end in the room', () => heard.some(({ final }) => final === 'done'));
    const whole = heard.find(({ final }) => final === 'done')?.text;
    expect(answer.items.length).toBeGreaterThan(1);
    expect(answer.items.join('')).toBe(whole);
    expect(again.items.join('')).toBe(whole);
    const late = streamOf<string>(asker, 'Answer', { room, prompt: 'what is a backplane?', id: 'first' });
    expect(await late.ended).toBe('complete');
    expect(late.items).toEqual([whole]);

    const unwanted = streamOf<string>(asker, 'Answer', room, 'tell me a very long story', 'second');
    await eventually('its beginning', () => unwanted.items.length > 0);
    unwanted.cancel();
    await eventually('the turn to be cancelled', () => heard.some(({ final }) => final === 'cancelled'));
  });
});

test('a client negotiates with one instance and connects to another', async () => {
  const [one, two] = instances as [Instance, Instance];
  const headers = { authorization: `Bearer ${tokenOf('ada')}` };
  const negotiated = await fetch(`${one.url}/chathub/negotiate?negotiateVersion=1`, {
    method: 'POST',
    headers,
  });
  const { connectionToken } = (await negotiated.json()) as { connectionToken: string };
  const polled = await fetch(`${two.url}/chathub?id=${connectionToken}`, { headers });
  expect([polled.status, await polled.text()]).toEqual([200, '']);
  await fetch(`${two.url}/chathub?id=${connectionToken}`, { method: 'DELETE', headers });
});

test('connections are counted by their transport, once however many instances they pass', async () => {
  const opensBefore = await sumOf('realtime_connects_total');
  for (const transport of [WebSockets, ServerSentEvents, LongPolling]) await connect({ transport });
  for (const transport of ['websocket', 'sse', 'polling']) {
    const series = `realtime_connections\\{transport="${transport}"\\}`;
    await eventually(`one by ${transport}`, async () => (await sumOf(series)) === 1);
  }
  expect((await sumOf('realtime_connects_total')) - opensBefore).toBe(3);
  const refusals = 'realtime_authentication_refusals_total\\{hub="chat",reason="invalid"\\}';
  const refusedBefore = await sumOf(refusals);
  expect(await messageOf(connect({ accessTokenFactory: () => 'x' }))).toContain('401');
  expect((await sumOf(refusals)) - refusedBefore).toBe(1);
});

test('a client whose token ends comes back with another one', async () => {
  let lasts = 5;
  const client = await connect({
    // It is asked for the negotiation and for the connection.
    accessTokenFactory: () => tokenOf('ada', { exp: Date.now() / 1_000 + lasts }),
  });
  lasts = 600;
  const before = client.connectionId;
  await new Promise((resolve) => client.onreconnected(resolve));
  expect(client.connectionId).not.toBe(before);
  expect(await client.invoke('Join', 'r')).toMatchObject({ ok: true });
});

test('who is revoked or banned is sent away on every instance', async () => {
  const revoke = (path: string, body: object) =>
    fetch(`${proxy.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const client = await connect({ user: 'mallory' });
  const expelled: string[] = [];
  client.on('expelled', ({ room }) => expelled.push(room));
  await client.invoke('Join', 'r');
  const ban = await revoke('/api/bans', { hub: 'chat', room: 'r', subject: 'mallory', forSeconds: 60 });
  expect(ban.status).toBeLessThan(300);
  await eventually('the ban', () => expelled.length === 1);
  expect(await messageOf(client.invoke('Join', 'r'))).toContain('HubException: forbidden');
  const closed = new Promise((resolve) => client.onclose(resolve));
  const revocation = await revoke('/api/revocations', { subject: 'mallory', forSeconds: 60 });
  expect(revocation.status).toBeLessThan(300);
  await closed;
  expect(await messageOf(connect({ user: 'mallory' }))).toContain('401');
});

test('paths of nobody are refused at once, and Socket.IO goes on beside', async () => {
  const response = await fetch(`${proxy.url}/nohub/negotiate`, { method: 'POST' });
  expect(response.status).toBe(404);
  const before = await sumOf('realtime_upgrade_failures_total\\{reason="wrong_path"\\}');
  const upgrade = new WebSocket(`${proxy.url.replace('http', 'ws')}/nohub`);
  const [error] = await once(upgrade, 'error');
  expect(error.message).toBe('Unexpected server response: 404');
  expect(await sumOf('realtime_upgrade_failures_total\\{reason="wrong_path"\\}')).toBe(before + 1);
  const socket = socketOf(proxy.url, 'ada');
  expect(await socket.emitWithAck('join', { room: 'r' })).toMatchObject({ ok: true });
});

test('without Redis, and without authentication, one instance serves them alone', async () => {
  const alone = await startInstance('alone', { REDIS_URL: 'none' });
  opened.push(() => alone.kill('SIGKILL'));
  for (const transport of [WebSockets, ServerSentEvents, LongPolling]) {
    const secretOfClient = `client-${transport}`;
    const options = { url: alone.url, transport, accessTokenFactory: () => secretOfClient };
    const [client, again] = [await connect(options), await connect(options)];
    const nobody = await connect({ ...options, accessTokenFactory: () => '' });
    const heard: string[] = [];
    client.on('message', ({ from }: Message) => void heard.push(from));
    await client.invoke('Join', 'r');
    for (const each of [client, again, nobody]) await each.invoke('Publish', 'r', 1);
    await eventually('all three', () => heard.length === 3);
    expect(heard[1]).toBe(heard[0]);
    expect(heard[2]).not.toBe(heard[0]);
    expect(heard.join()).not.toContain('client');
    await Promise.all([client, again, nobody].map((each) => each.stop()));
  }
});

test('nothing that authenticates stands in the log', () => {
  const logs = instances.map((instance) => instance.output()).join('\n');
  expect(logs).toContain('"transport":"sse"');
  expect(logs).not.toMatch(/access_token|eyJ[\w-]{10}|s1\.[\w-]{40}/);
});
