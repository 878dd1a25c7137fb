import { request } from 'node:http';
import type { Redis } from 'ioredis';
import WebSocket from 'ws';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { connectRedis } from '../../../support/redis/redis-client.ts';
import { eventually } from '../../../support/wait.ts';
import { clientOf, type Instance, startHubInstance } from './test-hub.ts';

/** Requests by hand: what clients other than Microsoft's send, and what none of them would. */

let server: TestRedis;
let redis: Redis;
let one: Instance;
let two: Instance;

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis(server.port);
  [one, two] = (await Promise.all(['one', 'two'].map((name) => startHubInstance(name, redis)))) as [
    Instance,
    Instance,
  ];
});

afterAll(async () => {
  for (const instance of [one, two]) await instance.stop();
  redis.disconnect();
  await server.stop();
});

/** With a text of six bytes for its argument. */
const callOfEcho = Buffer.concat([
  Buffer.from([19, 0x96, 1, 0x80, 0xa1, 0x31, 0xa4]),
  Buffer.from('echo'),
  Buffer.from([0x91, 0xa6]),
  Buffer.from('ä😀'),
  Buffer.from([0x90]),
]);
const ada = { authorization: 'Bearer user-ada' };
const end = '\x1e';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function send(path: string, options: RequestInit = {}, at: Instance = one): Promise<Answer> {
  const response = await fetch(`${at.url}/testhub${path}`, { headers: ada, ...options });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function negotiate(query = '?negotiateVersion=1', at: Instance = one): Promise<Record<string, string>> {
  return JSON.parse((await send(`/negotiate${query}`, { method: 'POST' }, at)).text);
}

const post = (id: string, body: string, at: Instance = one) =>
  send(`?id=${id}`, { method: 'POST', body }, at);

describe('negotiation', () => {
  test('answers by version; a client that names none shows the id that it was given', async () => {
    const { connectionToken = '', ...first } = await negotiate('?NegotiateVersion=1');
    expect(connectionToken).toMatch(/^[\w.-]+$/);
    expect(first).toEqual({
      negotiateVersion: 1,
      connectionId: expect.stringMatching(/^[\w-]{22}$/),
      availableTransports: [
        { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
        { transport: 'ServerSentEvents', transferFormats: ['Text'] },
        { transport: 'LongPolling', transferFormats: ['Text', 'Binary'] },
      ],
    });
    const old = await negotiate('?id=an-older-one');
    expect(old).not.toHaveProperty('connectionToken');
    expect((await send(`?id=${old.connectionId}`)).status).toBe(200);
    expect(await negotiate('?negotiateVersion=x')).toEqual({
      error: 'The client requested a non-integer protocol version.',
    });
    expect(await negotiate('?negotiateVersion=7')).toMatchObject({ negotiateVersion: 1 });
    // Clients that ask for stateful reconnects do without where the answer does not say so.
    const stateful = await negotiate('?negotiateVersion=1&useStatefulReconnect=true');
    expect(Object.keys(stateful)).toEqual([
      'negotiateVersion',
      'connectionId',
      'connectionToken',
      'availableTransports',
    ]);
  });

  test('is a POST of a user', async () => {
    expect((await send('/negotiate')).status).toBe(405);
    expect(await send('/negotiate', { method: 'POST', headers: {} })).toMatchObject({
      status: 401,
      text: 'no token',
    });
    expect((await send('/negotiate?access_token=user-bob', { method: 'POST', headers: {} })).status).toBe(
      200,
    );
  });

  test('pages of other origins are let in by their names alone', async () => {
    const ask = (origin: string) =>
      send('/negotiate', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    const allowed = await ask('https://app.example');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://app.example',
    ]);
    expect(allowed.headers.get('access-control-allow-headers')).toContain('x-signalr-user-agent');
    expect((await ask('https://evil.example')).status).toBe(403);
  });
});

describe('a connection', () => {
  test('has an id, and its user; anyone else is told that there is none', async () => {
    const { connectionToken: id = '' } = await negotiate();
    const none = { status: 404, text: 'No Connection with that ID' };
    expect(await send('')).toMatchObject({ status: 400, text: 'Connection ID required' });
    for (const wrong of ['x', `${id}x`, id.replace(/^s1/, 's2'), 'a.b.c.d', '%00']) {
      expect(await send(`?id=${wrong}`)).toMatchObject(none);
    }
    expect(await send(`?id=${id}`, { headers: { authorization: 'Bearer user-eve' } })).toMatchObject(none);
    expect(await send(`?id=${id}`, { headers: {} })).toMatchObject({ status: 401 });
    expect(await post(id, 'x')).toMatchObject(none);
    expect(await send(`?id=${id}`)).toMatchObject({ status: 200, text: '' });
  });

  test('that polls goes by any instance, is answered at once first, and ends with Close and 204', async () => {
    const { connectionToken: id = '' } = await negotiate();
    expect(await send(`?id=${id}`, {}, two)).toMatchObject({ status: 200, text: '' });
    expect(await post(id, `{"protocol":"json","version":0}${end}`, two)).toMatchObject({
      status: 200,
      text: '',
    });
    // This client polls without its token.
    expect((await send(`?id=${id}`, { headers: {} }, two)).text).toBe(`{}${end}`);
    await post(id, `{"type":1,"invocationId":"1","target":"where","arguments":[]}${end}`, two);
    expect((await send(`?id=${id}`, {}, two)).text).toBe(
      `{"type":3,"invocationId":"1","result":"one"}${end}`,
    );
    expect((await send(`?id=${id}`, { method: 'PUT' })).status).toBe(405);
    const poll = send(`?id=${id}`, {}, two);
    await eventually('the connection', () => one.hub.connections.size === 1);
    for (const connection of one.signalr) connection.close();
    expect((await poll).text).toBe(`{"type":7,"allowReconnect":true}${end}`);
    expect((await send(`?id=${id}`, {}, two)).status).toBe(204);
  });

  test('that polls is ended by DELETE, and a newer poll ends the older one', async () => {
    const { connectionToken: id = '' } = await negotiate();
    await send(`?id=${id}`);
    const older = send(`?id=${id}`);
    let isAsking = false;
    one.http.once('request', () => {
      isAsking = true;
    });
    await eventually('the older one to be there', () => isAsking || one.signalr.count > 0);
    const newer = send(`?id=${id}`);
    expect([(await Promise.race([older, newer])).status]).toEqual([204]);
    expect((await send(`?id=${id}`, { method: 'DELETE' })).status).toBe(202);
  });

  test('whose session is gone is told in a way that a client in Python follows', async () => {
    const { connectionToken: id = '' } = await negotiate();
    const gone = await send(`?id=${id.slice(0, -1)}`, { headers: { ...ada, accept: 'Text' } });
    expect(gone).toMatchObject({ status: 200, text: `{"type":7,"allowReconnect":true}${end}` });
  });

  test('begins with its handshake, before it is polled, as a client in Python does it; with nothing else', async () => {
    const { connectionId: id = '' } = await negotiate('');
    const handshake = `{"protocol":"json","version":0}${end}`;
    for (const body of [`{"type":6}${end}`, handshake.slice(0, -1), 'x', `{"protocol":1}${end}`]) {
      expect((await post(id, body, two)).status).toBe(404);
    }
    const eve = { headers: { authorization: 'Bearer user-eve' }, method: 'POST', body: handshake };
    expect((await send(`?id=${id}`, eve)).status).toBe(404);
    expect((await send(`?id=${id}`, { ...eve, headers: {} })).status).toBe(401);
    expect(await post(id, handshake, two)).toMatchObject({ status: 200, text: '' });
    const poll = async () => (await send(`?id=${id}`, { headers: { accept: 'Text' } }, two)).text;
    expect([await poll(), await poll()]).toEqual(['', `{}${end}`]);
  });

  test('of one record a poll, for the client that reads no more of them', async () => {
    const { connectionToken: id = '' } = await negotiate();
    const poll = async () => (await send(`?id=${id}`, { headers: { ...ada, accept: 'Text' } })).text;
    await poll();
    await post(id, `{"protocol":"json","version":1}${end}{"type":1,"target":"burst","arguments":[3]}${end}`);
    const records = [await poll(), await poll(), await poll(), await poll()];
    expect(records).toEqual([
      `{}${end}`,
      ...[0, 1, 2].map((index) => `{"type":1,"target":"Message","arguments":[${index}]}${end}`),
    ]);
  });

  test('as an event stream has the headers that proxies look for, and one reader', async () => {
    const { connectionToken: id = '' } = await negotiate();
    const stop = new AbortController();
    const headers = { ...ada, accept: 'text/event-stream' };
    const response = await fetch(`${one.url}/testhub?id=${id}`, { headers, signal: stop.signal });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache,no-store',
      'x-accel-buffering': 'no',
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(':\r\n');
    expect((await send(`?id=${id}`, { headers })).status).toBe(409);
    expect((await send(`?id=${id}`)).status).toBe(400);
    expect((await send(`?id=${id}`, { method: 'DELETE' })).status).toBe(400);
    await post(id, `{"protocol":"messagepack","version":1}${end}`);
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toContain(
      "Cannot use the 'messagepack' protocol",
    );
    stop.abort();
  });
});

describe('WebSockets', () => {
  const open = async (query: string, headers: Record<string, string> = ada, at = one) => {
    const socket = new WebSocket(`${at.url.replace('http', 'ws')}/testhub${query}`, { headers });
    const heard: string[] = [];
    socket.on('message', (data) => heard.push(String(data)));
    const outcome = await new Promise<number>((resolve) => {
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0));
      socket.on('error', () => undefined);
    });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    return { socket, heard, outcome, closed };
  };

  test('are taken by any instance with a token, and without a negotiation', async () => {
    const { connectionToken: id = '' } = await negotiate();
    for (const query of [`?id=${id}`, '', '?connectionId=x']) {
      const { socket, outcome, heard, closed } = await open(query, ada, two);
      expect(outcome).toBe(101);
      // Text in a binary frame, as a client in Python sends it.
      socket.send(Buffer.from(`{"protocol":"json","version":1}${end}`));
      await eventually('the handshake', () => heard.length === 1);
      expect(heard).toEqual([`{}${end}`]);
      socket.send(`{"type":7}${end}`);
      expect(await closed).toBe(1000);
    }
  });

  test.each([
    ['no user', '', {}, 401],
    ['a wrong token', '?access_token=x', {}, 401],
    ['an id of nobody', '?id=x', ada, 404],
    ['a page of another origin', '', { ...ada, origin: 'https://evil.example' }, 403],
  ])('with %s are refused', async (_what, query, headers, status) => {
    expect((await open(query, headers as Record<string, string>)).outcome).toBe(status);
  });

  test('with the id of someone else are refused', async () => {
    const { connectionToken: id = '' } = await negotiate();
    expect((await open(`?id=${id}`, { authorization: 'Bearer user-eve' })).outcome).toBe(404);
  });

  test.each([
    ['a handshake that is none', `x${end}`, 'could not be read'],
    [
      'a protocol that is none',
      `{"protocol":"xml","version":1}${end}`,
      "The protocol 'xml' is not supported.",
    ],
    ['a handshake without an end', 'x'.repeat(5_000), ''],
  ])('%s ends them', async (_what, text, words) => {
    const { socket, heard, closed } = await open('');
    socket.send(text);
    await closed;
    expect(heard.join()).toContain(words);
  });

  test.each([
    ['a message that is too large', 'x'.repeat(150_000)],
    ['a frame that is too large', 'x'.repeat(600_000)],
    ['no JSON', `{{${end}`],
    ['a stream without an id', `{"type":4,"target":"count","arguments":[1]}${end}`],
    ['a stream id twice', `{"type":1,"target":"sum","arguments":[],"streamIds":["a","a"]}${end}`],
    [
      'more streams than may be',
      `{"type":1,"target":"sum","arguments":[],"streamIds":${JSON.stringify(Array.from({ length: 101 }, String))}}${end}`,
    ],
    ['an upload without an end', `${'{"type":2,"invocationId":"u","item":1}\x1e'.repeat(6_000)}`],
    ['more calls than may wait', `${'{"type":1,"target":"nothing","arguments":[]}\x1e'.repeat(6_000)}`],
  ])('%s ends them, and the instance goes on', async (_what, text) => {
    const { socket, closed } = await open('');
    socket.send(`{"protocol":"json","version":1}${end}`);
    socket.send(`{"type":1,"target":"ask","arguments":["nobody"],"streamIds":["u"]}${end}`);
    for (let times = 0; times < 2; times += 1) socket.send(text);
    await closed;
    expect((await negotiate()).negotiateVersion).toBe(1);
  });

  test.each([
    [
      'json',
      Buffer.from(`{"type":1,"invocationId":"1","target":"echo","arguments":["ä😀"]}${end}{"type":6}${end}`),
    ],
    ['messagepack', Buffer.concat([callOfEcho, Buffer.from([2, 0x91, 6])])],
  ])('%s that comes byte by byte, behind its handshake, is the same', async (protocol, bytes) => {
    const { socket, heard } = await open('');
    const all = Buffer.concat([Buffer.from(`{"protocol":"${protocol}","version":1}${end}`), bytes]);
    for (const byte of all) socket.send(Buffer.from([byte]));
    await eventually('an answer', () => heard.length === 2);
    expect(heard[1]).toContain('ä😀');
    // And all of it at once.
    const again = await open('');
    again.socket.send(all);
    await eventually('the same answer', () => again.heard.length === 2);
    expect(again.heard).toEqual(heard);
    for (const each of [socket, again.socket]) each.close();
  });

  test('carry JSON as text and MessagePack as binary, and the answer to a handshake as text', async () => {
    for (const [protocol, call] of [
      ['json', `{"type":1,"invocationId":"1","target":"nothing","arguments":[]}${end}`],
      ['messagepack', callOfEcho],
    ] as const) {
      const { socket } = await open('');
      const kinds: string[] = [];
      socket.on('message', (_data, isBinary) => kinds.push(isBinary ? 'binary' : 'text'));
      socket.send(`{"protocol":"${protocol}","version":1}${end}`);
      socket.send(call);
      await eventually('an answer', () => kinds.length === 2);
      expect(kinds).toEqual(['text', protocol === 'json' ? 'text' : 'binary']);
      expect(socket.protocol).toBe('');
      socket.close();
    }
  });

  test('take no message by a POST', async () => {
    const { connectionToken: id = '' } = await negotiate();
    const { socket } = await open(`?id=${id}`);
    expect((await post(id, `{"type":6}${end}`)).status).toBe(405);
    expect((await send(`?id=${id}`)).status).toBe(400);
    socket.close();
  });

  test('a stream that is cancelled ends with a completion, and sends nothing behind it', async () => {
    const { socket, heard } = await open('');
    socket.send(`{"protocol":"json","version":1}${end}`);
    socket.send(`{"type":4,"invocationId":"s","target":"endless","arguments":[]}${end}`);
    await eventually('some items', () => heard.length > 3);
    socket.send(`{"type":5,"invocationId":"s"}${end}`);
    const completion = `{"type":3,"invocationId":"s"}${end}`;
    await eventually('its completion', () => heard.includes(completion));
    socket.send(`{"type":1,"invocationId":"1","target":"nothing","arguments":[]}${end}`);
    await eventually('what comes next', () => heard.at(-1) !== completion);
    expect(heard.slice(heard.indexOf(completion))).toEqual([
      completion,
      `{"type":3,"invocationId":"1"}${end}`,
    ]);
    socket.close();
  });

  test('answers to nothing that was asked, and cancels of nothing, are left out', async () => {
    const { socket, heard } = await open('');
    socket.send(`{"protocol":"json","version":1}${end}`);
    for (const type of [2, 3, 5]) socket.send(`{"type":${type},"invocationId":"nobody","item":1}${end}`);
    socket.send(
      `{"type":99}${end}{"type":6}${end}{"type":1,"invocationId":"1","target":"add","arguments":[1,1]}${end}`,
    );
    await eventually('an answer', () => heard.length === 2);
    expect(heard[1]).toBe(`{"type":3,"invocationId":"1","result":2}${end}`);
    socket.close();
  });

  test('the same stream id twice is refused by its name', async () => {
    const { socket, heard } = await open('');
    socket.send(`{"protocol":"json","version":1}${end}`);
    const ask = `{"type":4,"invocationId":"x","target":"endless","arguments":[]}${end}`;
    socket.send(`${ask}${ask}`);
    await eventually('a refusal', () =>
      heard.some((text) => text.includes("Invocation ID 'x' is already in use.")),
    );
    const before = one.hub.aborted;
    socket.terminate();
    await eventually('the stream to end', () => one.hub.aborted === before + 1);
  });

  test('a client that does not read is cut off', async () => {
    const before = new Set(one.hub.connections);
    const { socket, closed } = await open('');
    socket.send(`{"protocol":"json","version":1}${end}`);
    const added = () => [...one.hub.connections].find((each) => !before.has(each));
    await eventually('the connection', () => added() !== undefined);
    socket.pause();
    const connection = added();
    const text = 'x'.repeat(100_000);
    for (let count = 0; count < 1_000 && connection?.connected; count += 1) {
      connection?.send('Message', text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(connection?.connected).toBe(false);
    socket.resume();
    await closed;
  });
});

describe('time', () => {
  test('who does not shake hands, and who falls silent, is ended; who listens is pinged', async () => {
    const times = { handshake: 500, keepAlive: 50, client: 600 };
    const quick = await startHubInstance('quick', redis, { times });
    const url = `${quick.url.replace('http', 'ws')}/testhub`;
    const silent = new WebSocket(url, { headers: ada });
    const words: string[] = [];
    silent.on('message', (data) => words.push(String(data)));
    const silentEnded = new Promise((resolve) => silent.once('close', resolve));
    const listener = new WebSocket(url, { headers: ada });
    const heard: string[] = [];
    listener.on('message', (data) => heard.push(String(data)));
    await new Promise((resolve) => listener.once('open', resolve));
    listener.send(`{"protocol":"json","version":1}${end}`);
    await eventually('a ping', () => heard.includes(`{"type":6}${end}`));
    // From its first ping on it is expected to go on.
    listener.send(`{"type":6}${end}`);
    await new Promise((resolve) => listener.once('close', resolve));
    expect(heard.at(-1)).toBe(`{"type":7}${end}`);
    await silentEnded;
    expect(words).toEqual([`{"error":"Handshake was canceled."}${end}`]);
    await quick.stop();
  });

  test('a poll is answered in time, and a client that polls no more is gone', async () => {
    const [patient, quick] = await Promise.all([
      startHubInstance('patient', redis, { longPolling: { pollMs: 50, absentMs: 30_000 } }),
      startHubInstance('polled', redis, { longPolling: { pollMs: 50, absentMs: 50 } }),
    ]);
    for (const instance of [patient, quick]) {
      const { connectionToken: id = '' } = await negotiate('?negotiateVersion=1', instance);
      expect((await send(`?id=${id}`, {}, instance)).status).toBe(200);
      if (instance === patient) {
        expect(await send(`?id=${id}`, {}, instance)).toMatchObject({ status: 200, text: '' });
      }
    }
    await eventually('it to be gone', () => quick.signalr.count === 0);
    expect(patient.signalr.count).toBe(1);
    await Promise.all([patient.stop(), quick.stop()]);
  });
});

test.each([
  ['is counted until its client has read it', 30_000, 1],
  ['is not, where its client polls no more', 0, 0],
])('what was last said to a client that polls %s', async (_what, pauseMs, count) => {
  const instance = await startHubInstance(`pause-${pauseMs}`, redis, { longPolling: { pauseMs } });
  const { connectionToken: id = '' } = await negotiate('?negotiateVersion=1', instance);
  await send(`?id=${id}`, {}, instance);
  await post(id, `{"protocol":"json","version":1}${end}`, instance);
  for (const connection of instance.signalr) connection.close();
  await eventually('its end', () => [...instance.signalr].length === 0);
  expect(instance.signalr.count).toBe(count);
  expect((await send(`?id=${id}`, {}, instance)).text).toBe(`{}${end}{"type":7,"allowReconnect":true}${end}`);
  expect(instance.signalr.count).toBe(0);
  await instance.stop();
});

test('a hub is found in any case, and with a slash behind its path', async () => {
  const { connectionToken: id = '' } = await negotiate();
  const polled = await fetch(`${one.url}/TestHub/?id=${id}`, { headers: ada });
  expect([polled.status, await polled.text()]).toEqual([200, '']);
});

test('what is asked of no hub is answered by others', async () => {
  expect((await fetch(`${one.url}/testhub//?id=x`)).status).toBe(404);
  expect((await fetch(`${one.url}/`)).status).toBe(404);
  expect((await fetch(`${one.url}/otherhub/negotiate`, { method: 'POST' })).status).toBe(404);
});

test('a body without an end, and a client that leaves in the middle, leave nothing behind', async () => {
  const client = clientOf(one.url, 'longPolling');
  await client.start();
  const { connectionToken: id = '' } = await negotiate();
  await send(`?id=${id}`);
  const half = request(`${one.url}/testhub?id=${id}`, {
    method: 'POST',
    headers: { ...ada, 'content-length': '100' },
  });
  half.on('error', () => undefined);
  half.write('x');
  await eventually('it to be there', () => half.socket?.bytesWritten !== 0);
  half.destroy();
  expect(await client.invoke('add', 1, 1)).toBe(2);
  await client.stop();
});
