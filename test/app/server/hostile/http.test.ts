import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from '../../../support/wait.ts';
import { connected, negotiate, openPolling, poll, RawSocket, sendBytes, signalRHub } from './raw.ts';
import { serviceToken, Target, tokenOf } from './target.ts';

/** Bad HTTP of anyone: nothing crashes, nothing gets in, honest clients notice nothing. */

let target: Target;
beforeAll(async () => {
  target = await Target.start();
});
afterEach(() => target.expectSound());
afterAll(() => target.stop());

const user = () => ({ authorization: `Bearer ${tokenOf({ iss: 'us', aud: 'app' })}` });
const host = 'Host: 127.0.0.1';
const messages = '/api/hubs/chat/rooms/private/messages';

describe('pages of other sites', () => {
  const foreign = { origin: 'https://evil.example' };

  test('are refused a polling session, in words for programs, and without CORS', async () => {
    const answer = await poll(target, '', { headers: foreign });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { code: 'forbidden_origin' } });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('are refused a WebSocket', async () => {
    const raw = new RawSocket(target, foreign);
    const [, response] = await once(raw.ws, 'unexpected-response');
    expect(response.statusCode).toBe(403);
    expect(response.headers['content-type']).toMatch(/json/);
    raw.close();
  });

  test.each(['null', 'file://', 'https://127.0.0.1.evil.example', 'http://127.0.0.1@evil.example'])(
    'whatever they call themselves: %s',
    async (origin) => {
      expect((await poll(target, '', { headers: { origin } })).status).toBe(403);
      expect((await negotiate(target, '', { origin, ...user() })).status).toBe(403);
      const raw = new RawSocket(target, { origin, ...user() }, signalRHub);
      const [, { statusCode }] = await once(raw.ws, 'unexpected-response');
      expect(statusCode).toBe(403);
      raw.close();
    },
  );

  test('the page of the service itself is not', async () => {
    expect((await poll(target, '', { headers: { origin: target.url } })).status).toBe(200);
    expect((await negotiate(target, '', { origin: target.url, ...user() })).status).toBe(200);
  });
});

describe('sessions of others', () => {
  test.each([
    ['nobody', 'nobody'],
    ['the prototype', '__proto__'],
    ['a constructor', 'constructor'],
    ['a null byte', '%00'],
    ['5,000 characters', 'x'.repeat(5_000)],
  ])('the sid of %s is unknown', async (_case, sid) => {
    expect((await poll(target, `&sid=${sid}`)).status).toBe(400);
    expect((await poll(target, `&sid=${sid}`, { method: 'POST', body: '40/chat,{}' })).status).toBe(400);
  });

  test('a sid is not to be had twice: two polls at once end the session', async () => {
    const sid = await openPolling(target);
    const [one, two] = await Promise.all([poll(target, `&sid=${sid}`), poll(target, `&sid=${sid}`)]);
    expect([one.status, two.status].filter((status) => status !== 200)).not.toEqual([]);
    await Promise.all([one.text(), two.text()]);
    expect((await poll(target, `&sid=${sid}`)).status).toBe(400);
  });

  test.each([
    ['another transport', 'transport=smoke'],
    ['one of the prototype', 'transport=constructor'],
    ['WebTransport', 'transport=webtransport'],
    ['a protocol of before', 'transport=polling&EIO=3'],
    ['no protocol', 'transport=polling'],
    ['everything twice', 'transport=polling&transport=websocket&EIO=4&EIO=3'],
  ])('%s is 400', async (_case, query) => {
    expect((await fetch(`${target.url}/socket.io/?${query}`)).status).toBe(400);
  });

  test('an upgrade to what is no session, or to another service, is refused', async () => {
    const upgrade = (path: string) =>
      `GET ${path} HTTP/1.1\r\n${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
    const at = '/socket.io/?EIO=4&transport=websocket';
    expect(await sendBytes(target, upgrade(`${at}&sid=nobody`))).toMatch(/^HTTP\/1.1 400/);
    expect(await sendBytes(target, upgrade('/elsewhere'))).not.toMatch(/101/);
    expect(await sendBytes(target, upgrade(at).replace('websocket\r\n', 'h2c\r\n'))).not.toMatch(/101/);
    expect(await sendBytes(target, upgrade(at).replace('dGhlIHNhbXBsZSBub25jZQ==', 'short'))).not.toMatch(
      /101/,
    );
    // Engine.IO shakes hands before it looks: no session is opened, and it hangs up.
    expect(await sendBytes(target, upgrade('/socket.io/?EIO=4&transport=polling'))).not.toContain('"sid"');
  });
});

describe('too much', () => {
  test('a POST beyond the largest packet is 413', async () => {
    const sid = await openPolling(target);
    const answer = await poll(target, `&sid=${sid}`, { method: 'POST', body: '4'.repeat(500_000) }).catch(
      () => undefined,
    );
    expect(answer === undefined || answer.status === 413).toBe(true);
  });

  test('ten thousand packets in one POST', async () => {
    const sid = await openPolling(target);
    const body = Array<string>(30_000).fill('6').join('\x1e');
    const answer = await poll(target, `&sid=${sid}`, { method: 'POST', body }).catch(() => undefined);
    expect([undefined, 200, 400]).toContain(answer?.status);
  });

  test.each([
    ['Socket.IO', async () => `/socket.io/?EIO=4&transport=polling&sid=${await openPolling(target)}`],
    ['SignalR', async () => `${signalRHub}?id=${await openSignalRPolling()}`],
  ])('chunks that never end are 413, for %s', async (_kind, open) => {
    const path = await open();
    const socket = connect(target.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    await connected(socket);
    const { authorization } = user();
    const headers = `${host}\r\nAuthorization: ${authorization}\r\nTransfer-Encoding: chunked`;
    socket.write(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);
    const chunk = `ffff\r\n${'x'.repeat(0xffff)}\r\n`;
    for (let n = 0; n < 50 && !socket.destroyed; n += 1) socket.write(chunk);
    await eventually('an answer', () => answer !== '' || socket.destroyed);
    expect(answer).toMatch(/^(HTTP\/1\.1 413|$)/);
    socket.destroy();
  });

  async function openSignalRPolling(): Promise<string> {
    const negotiated = await negotiate(target, '?negotiateVersion=1', user());
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string };
    await fetch(`${target.url}${signalRHub}?id=${connectionToken}`, { headers: user() });
    return connectionToken;
  }

  test.each([
    ['a header of 20 KB', `GET / HTTP/1.1\r\n${host}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    [
      'five thousand headers',
      `GET / HTTP/1.1\r\n${host}\r\n${Array.from({ length: 5_000 }, (_, n) => `X${n}: y\r\n`).join('')}\r\n`,
      431,
    ],
    ['a path of 20 KB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n\r\n`, 431],
  ])('%s is refused', async (_case, bytes, status) => {
    expect(await sendBytes(target, bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  });

  test('hundreds of connections that never finish their headers are let go', async () => {
    const slow: Socket[] = [];
    for (let n = 0; n < 300; n += 1) {
      const socket = connect(target.port, '127.0.0.1');
      await connected(socket);
      socket.resume();
      socket.write(`GET / HTTP/1.1\r\n${host}\r\nX-${n}: `);
      slow.push(socket);
    }
    const drip = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('x');
    }, 1_000);
    await target.expectSound();
    await eventually('all of them to be closed', () => slow.every((socket) => socket.closed));
    clearInterval(drip);
  });
});

describe('requests that proxies and servers read differently', () => {
  const inner = `POST ${messages} HTTP/1.1\r\n${host}\r\nContent-Length: 0\r\n\r\n`;
  test.each([
    [
      'two lengths',
      `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    ],
    [
      'a length and chunks',
      `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    ],
    [
      'chunks that are not',
      `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`,
    ],
    [
      'chunks, and something after',
      `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${inner}`,
    ],
    ['a space before the colon', `POST / HTTP/1.1\r\n${host}\r\nContent-Length : 5\r\n\r\n${inner}`],
    ['a line feed alone', `POST / HTTP/1.1\r\n${host}\r\nX: a\nContent-Length: 5\r\n\r\n${inner}`],
    [
      'a folded header',
      `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`,
    ],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s: one answer at most, and none that says yes', async (_case, bytes) => {
    const answer = await sendBytes(target, bytes, { forMs: 500 });
    expect(answer.match(/^HTTP\/1\.1 2/gm)).toBeNull();
    expect((answer.match(/^HTTP\/1\.1 /gm) ?? []).length).toBeLessThanOrEqual(1);
  });
});

test.each([
  '/../package.json',
  '/%2e%2e/%2e%2e/package.json',
  '/..%2f..%2fpackage.json',
  '/assets/..%5c..%5cserver%5cmain.js',
  '/assets/%2e%2e/%2e%2e/server/main.js',
  '/server/main.js',
  '/.env',
  '//etc/passwd',
  '/%00',
  '/assets/%',
])('%s is no file of the page', async (path) => {
  const answer = await sendBytes(target, `GET ${path} HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 40[034]/);
  expect(answer).not.toMatch(/root:|"name"|startService/);
});

describe('publishing over HTTP', () => {
  const publish = (headers: Record<string, string>, body = '{"body":"let me in"}') =>
    fetch(target.url + messages, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });

  test.each([
    ['no token', {}, 401],
    ['a wrong one', { authorization: 'Bearer wrong' }, 403],
    ['one that begins the same', { authorization: `Bearer ${serviceToken.slice(0, -1)}` }, 403],
    ['two', { authorization: `Bearer ${serviceToken}, Bearer x` }, 403],
    ["a user's", { authorization: `Bearer ${tokenOf({ iss: 'us', aud: 'app' })}` }, 403],
    ['another scheme', { authorization: `Basic ${serviceToken}` }, 401],
  ])('with %s is refused', async (_case, headers, status) => {
    expect((await publish(headers as Record<string, string>)).status).toBe(status);
  });

  test('with a token and nonsense is 400 or 413, and reaches nobody', async () => {
    const authorized = { authorization: `Bearer ${serviceToken}` };
    for (const body of ['', '{', '[]', '"x"', 'null', '{"body":1,"id":7}', '{"__proto__":{"body":1}}']) {
      expect((await publish(authorized, body)).status).toBe(400);
    }
    expect(
      (await publish(authorized, `{"body":${'['.repeat(45_000)}${']'.repeat(45_000)}}`)).status,
    ).toBeGreaterThanOrEqual(400);
    expect((await publish(authorized, `{"body":"${'x'.repeat(90_000)}"}`)).status).toBe(413);
  });
});
