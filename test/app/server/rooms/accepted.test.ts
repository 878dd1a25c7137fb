import { io as connect, type Socket } from 'socket.io-client';
import type { Message } from '../../../../app/protocol/hub.ts';
import { createHttp } from '../../../../app/server/http/create.ts';
import { serveMessages } from '../../../../app/server/http/messages.ts';
import { deepestBody } from '../../../../app/server/rooms/body/json-scan.ts';
import { openStore } from '../../../../app/server/rooms/store/open-store.ts';
import { describeInFull } from '../../../support/full-runs.ts';
import { silent } from '../../../support/redis/link.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { type RoomsServer, startRoomsServer } from '../../../support/servers/rooms-server.ts';
import { eventually } from '../../../support/wait.ts';
import { RawSocket } from '../hostile/raw.ts';

/** Whatever is accepted, at whichever entry, is delivered and can be read back over every transport. */

const bodyBytes = 65_536;
const serviceToken = 'a service token of 32 characters';
const nested = (levels: number, open: string, close: string) =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

/** Bodies as their senders write them, at the limits of what is taken. */
const accepted: readonly string[] = [
  nested(deepestBody, '[', ']'),
  nested(deepestBody, '{"a":', '}'),
  `"${'x'.repeat(bodyBytes - 2)}"`,
  `"${'🎈'.repeat((bodyBytes - 4) / 4)}"`,
  `[${'[],'.repeat(20_000)}0]`,
  `{${Array.from({ length: 5_000 }, (_, n) => `"k${n}":0`).join(',')}}`,
  '{"__proto__":{"a":1},"toJSON":"x","constructor":{"prototype":null},"_placeholder":true,"num":0}',
  JSON.stringify(String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code), 0x2028, 0xfeff)),
  '["\\ud83c\\udf88","\\/"]',
  '[12345678901234567890,1e308,0.10]',
  'null',
];

const refused: readonly (readonly [body: string, status: number])[] = [
  [nested(deepestBody + 1, '[', ']'), 400],
  [nested(8_000, '{"a":', '}'), 400],
  [`"${'x'.repeat(bodyBytes - 1)}"`, 413],
  ['"\\ud800"', 400],
  ['{"\\udc00":1}', 400],
  ['1e400', 400],
];

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(where: 'redis' | 'memory', fanout: 'direct' | 'adapter') {
  const deployment = `accepted-${fanout}`;
  const store = await openStore({
    log: silent,
    deployment,
    ...(where === 'redis' ? { redis: redis.url } : {}),
  });
  closing.push(() => store.close());
  const server = await startRoomsServer({ store, fanout, limits: { rooms: 10, bodyBytes } });
  closing.push(() => server.close());
  const warm = () =>
    server.rooms.publish('warm-up', 0).then(
      () => true,
      () => false,
    );
  await eventually('the store to be there', warm);
  return { server, http: await openHttp(server) };
}

type Http = Awaited<ReturnType<typeof createHttp>>;

async function openHttp(server: RoomsServer): Promise<Http> {
  const http = await createHttp({ log: silent, trustedProxyHops: 0, idleTimeoutSeconds: 60 });
  closing.push(() => http.close());
  await serveMessages(http, { hubs: new Map([['chat', server.rooms]]), serviceTokens: [serviceToken] });
  return http;
}

function client(server: RoomsServer, transport: 'websocket' | 'polling'): Socket {
  const socket = connect(`${server.url}/chat`, { forceNew: true, transports: [transport] });
  closing.push(() => socket.disconnect());
  return socket;
}

function heardBy(socket: Socket): Message[] {
  const messages: Message[] = [];
  socket.on('message', (message) => messages.push(message));
  return messages;
}

async function post(http: Http, body: string): Promise<number> {
  const { statusCode } = await http.inject({
    method: 'POST',
    url: '/api/hubs/chat/rooms/r/messages',
    headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
    payload: `{"body":${body}}`,
  });
  return statusCode;
}

/** Each page of a room, from its beginning, as a client asks for it. */
async function readBack(socket: Socket, epoch: string): Promise<string[]> {
  const bodies: string[] = [];
  for (let [offset, more] = [0, true]; more; ) {
    const page = await socket.emitWithAck('join', { room: 'r', since: { epoch, offset } });
    expect(page).toMatchObject({ ok: true, recovered: true });
    bodies.push(...page.messages.map(textOf));
    [offset, more] = [page.offset, page.more];
  }
  return bodies;
}

/** Texts are compared: a hundred thousand objects take a minute. */
const textOf = ({ body }: Pick<Message, 'body'>) => JSON.stringify(body);

const packet = (id: number, body: string) => `42/chat,${id}["publish",{"room":"r","body":${body}}]`;
const replyTo = (id: number) => (frame: string) => frame.startsWith(`43/chat,${id}[`);

describe('in redis, fan-out direct', () => suite('redis', 'direct'));
describe('in memory, fan-out adapter', () => suite('memory', 'adapter'));
describeInFull('faults', 'the other pairs', () => {
  describe('in redis, fan-out adapter', () => suite('redis', 'adapter'));
  describe('in memory, fan-out direct', () => suite('memory', 'direct'));
});

function suite(where: 'redis' | 'memory', fanout: 'direct' | 'adapter'): void {
  test('what is accepted is heard and read back, and the rest refused, at each entry and over each transport', async () => {
    const { server, http } = await open(where, fanout);
    const listeners = [client(server, 'websocket'), client(server, 'polling')];
    const heard = listeners.map(heardBy);
    const [{ epoch }] = await Promise.all(
      listeners.map((socket) => socket.emitWithAck('join', { room: 'r' })),
    );
    const raw = await RawSocket.open(server);
    closing.push(() => raw.close());

    for (const [index, body] of accepted.entries()) {
      raw.send(packet(index, body));
      expect(await raw.until(replyTo(index))).toContain('"ok":true');
      expect(await post(http, body)).toBe(201);
      await server.rooms.publish('r', JSON.parse(body));
    }
    for (const [index, [body, status]] of refused.entries()) {
      raw.send(packet(100 + index, body));
      expect(await raw.until(replyTo(100 + index))).toContain('"bad_request"');
      expect(await post(http, body)).toBe(status);
      if (status === 400 && !body.includes('400')) {
        await expect(server.rooms.publish('r', JSON.parse(body))).rejects.toThrow(/^body: must/);
      }
    }

    const expected = accepted.flatMap((body) => Array<string>(3).fill(textOf({ body: JSON.parse(body) })));
    for (const messages of heard) {
      await eventually('all of it', () => messages.length >= expected.length);
      expect(messages.map(textOf)).toEqual(expected);
    }
    for (const transport of ['websocket', 'polling'] as const) {
      expect(await readBack(client(server, transport), epoch)).toEqual(expected);
    }
  });
}

test('numbers come and go as they were written, and so does all else, where no object is made of it', async () => {
  const { server, http } = await open('redis', 'direct');
  const [listener, reader] = [await RawSocket.open(server), await RawSocket.open(server)];
  closing.push(
    () => listener.close(),
    () => reader.close(),
  );
  listener.send('42/chat,0["join",{"room":"digits"}]');
  const joined = await listener.until(replyTo(0));
  const body = '{"id":12345678901234567890,"price":0.10,"e":1E+2,"\\u0061":"\\u00fc"}';
  reader.send(`42/chat,1["publish",{"body": ${body} , "room":"digits"}]`);
  const live = await listener.until((frame) => frame.includes('["message"'));
  expect(live).toContain(`"body":${body}}]`);
  const since = /"epoch":"[^"]+"/.exec(joined)?.[0];
  reader.send(`42/chat,2["join",{"room":"digits","since":{${since},"offset":0}}]`);
  expect(await reader.until(replyTo(2))).toContain(`"body":${body}}]`);
  expect(await post(http, body)).toBe(201);
});
