import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createAuthenticator } from '../../../../app/server/auth/authenticator.ts';
import { signToken, verifyToken } from '../../../../app/server/auth/hmac.ts';
import { openDenials } from '../../../../app/server/deny-list/open-denials.ts';
import { serveBans } from '../../../../app/server/http/bans.ts';
import { createHttp } from '../../../../app/server/http/create.ts';
import { serveMessages } from '../../../../app/server/http/messages.ts';
import { serveSession } from '../../../../app/server/http/session.ts';
import { RefusedError, UncertainError } from '../../../../app/server/rooms/log/log.ts';
import { silent } from '../../../support/redis/link.ts';

const service = 'a service token of 32 characters!';
const former = 'the service token from before it was';
const secret = 'a secret of thirty-two characters';
const authorized = { authorization: `Bearer ${service}` };
const hourLater = () => Math.floor(Date.now() / 1_000) + 3_600;

const published: unknown[] = [];
let fault: Error | undefined;
let waitMs: number | undefined;
const open = () => createHttp({ log: silent, trustedProxyHops: 1, idleTimeoutSeconds: 60 });
let http: Awaited<ReturnType<typeof open>>;
const denials = openDenials({
  links: undefined,
  deployment: 'test',
  servesAlone: false,
  log: silent,
  hubs: () => [],
});
const hubs = new Map([
  [
    'bots',
    {
      publishJson: async (...call: unknown[]) => {
        if (fault) throw fault;
        published.push(call);
        return { epoch: 'E', offset: published.length };
      },
    },
  ],
]);

beforeAll(async () => {
  http = await open();
  serveMessages(http, { hubs, serviceTokens: [service, former] });
  serveBans(http, { denials, hubs, serviceTokens: [service, former] });
  serveSession(http, {
    auth: { secrets: [secret], jwksUrl: undefined, issuer: 'us', audience: 'app', guests: true, none: false },
    corsOrigins: ['https://app.example.com'],
    trustedProxyHops: 1,
    limit: () => waitMs,
    admit: (identity) => denials.revocations.admit(identity),
  });
  http.get('/broken', async () => {
    throw new Error('the password is hunter2');
  });
  await http.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(() => {
  fault = waitMs = undefined;
  published.length = 0;
});
afterAll(() => http.close());

const url = '/api/hubs/bots/rooms/bot%2F7/messages';
const post = (path: string, payload: unknown, headers: Record<string, string> = {}) =>
  http.inject({
    method: 'POST',
    url: path,
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });

describe('publishing over HTTP', () => {
  test('is 201 with the position, the id from the body or its header', async () => {
    const answer = await post(url, { body: { n: 1 }, id: 'i1', from: 'backend' }, authorized);
    expect([answer.statusCode, answer.json()]).toEqual([201, { epoch: 'E', offset: 1 }]);
    await post(url, { body: 2 }, { authorization: `bearer ${former}`, 'idempotency-key': 'i2' });
    expect(published).toEqual([
      ['bot/7', '{"n":1}', { id: 'i1', from: 'backend' }],
      ['bot/7', '2', { id: 'i2' }],
    ]);
  });

  test.each([
    ['no token', 401, 'unauthorized', {}, url, { body: 1 }],
    ['another token', 403, 'forbidden', { authorization: `Bearer ${service}x` }, url, { body: 1 }],
    ['an empty one', 401, 'unauthorized', { authorization: 'Bearer ' }, url, { body: 1 }],
    ['no such hub', 404, 'not_found', authorized, '/api/hubs/__proto__/rooms/r/messages', { body: 1 }],
    ['no body', 400, 'bad_request', authorized, url, {}],
    ['no object', 400, 'bad_request', authorized, url, [1]],
    ['no JSON', 400, 'bad_request', authorized, url, '{'],
    ['a prototype', 400, 'bad_request', authorized, url, '{"__proto__": {"body": 1}}'],
    ['a long id', 400, 'bad_request', authorized, url, { body: 1, id: 'x'.repeat(65) }],
    [
      'a control character',
      400,
      'bad_request',
      authorized,
      '/api/hubs/bots/rooms/a%00b/messages',
      { body: 1 },
    ],
    ['a large body', 413, 'too_large', authorized, url, { body: 'x'.repeat(70_000) }],
    ['a huge body', 413, 'too_large', authorized, url, { body: 'x'.repeat(200_000) }],
  ])('%s is %i', async (_case, status, code, headers, path, payload) => {
    const answer = await post(path, payload, headers as Record<string, string>);
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
    expect(published).toEqual([]);
  });

  test('every fault is told at once', async () => {
    const { error } = (await post(url, { id: '', from: '' }, authorized)).json();
    expect(error.message).toMatch(/id: .*; from: .*/s);
  });

  test.each([
    ['a refusal', new RefusedError('Redis is away'), 503, 'refused'],
    ['no certainty', new UncertainError('no answer'), 504, 'uncertain'],
  ])('%s tells when to try again', async (_case, error, status, code) => {
    fault = error;
    const answer = await post(url, { body: 1, id: 'i' }, authorized);
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('another type of content is 415, another method 405 with what is allowed', async () => {
    const form = await post(url, 'body=1', {
      ...authorized,
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect([form.statusCode, form.json().error.code]).toEqual([415, 'unsupported_media_type']);
    const get = await http.inject({ url });
    expect([get.statusCode, get.headers.allow]).toEqual([405, 'POST']);
  });
});

describe('guests', () => {
  const session = (payload: unknown, headers: Record<string, string> = {}) =>
    post('/api/session', payload, headers);
  const rules = { issuer: 'us', audience: 'app' };

  test('are given a token that the handshake takes, and keep their subject with the one before', async () => {
    const first = (await session({ name: ' Ada ' })).json();
    const identity = verifyToken(first.token, [secret], rules);
    expect(identity).toMatchObject({ subject: first.subject, name: 'Ada', guest: true });
    expect(identity.subject).toMatch(/^guest:/);
    expect(identity.expiresAt).toBe(first.expiresAt);
    const next = (await session({}, { authorization: `Bearer ${first.token}` })).json();
    expect(next).toMatchObject({ subject: first.subject });
    expect(verifyToken(next.token, [secret], rules).name).toBe('Ada');
    expect((await session({})).json().subject).not.toBe(first.subject);
  });

  test("are named where the handshake looks, and by `sub` where those claims are an identity provider's", async () => {
    const claims = { subjectClaim: 'nameid', nameClaim: 'unique_name' };
    const given = async (jwksUrl: string | undefined) => {
      const app = await open();
      const auth = { secrets: [secret], issuer: undefined, audience: undefined, guests: true, none: false };
      serveSession(app, {
        auth: { ...auth, ...claims, jwksUrl },
        corsOrigins: [],
        trustedProxyHops: 0,
        limit: () => undefined,
        admit: () => undefined,
      });
      const answer = await app.inject({ method: 'POST', url: '/api/session', payload: { name: 'Ada' } });
      return createAuthenticator({ ...auth, ...claims, jwksUrl })?.(answer.json().token);
    };
    expect(await given(undefined)).toMatchObject({ subject: expect.stringMatching(/^guest:/), name: 'Ada' });
    expect(await given('https://id.example/keys')).toMatchObject({
      subject: expect.stringMatching(/^guest:/),
      name: 'Ada',
    });
  });

  test("with a token that has ended, is revoked, or is no guest's: 401", async () => {
    const bearer = (claims: object) => ({
      authorization: `Bearer ${signToken({ sub: 'guest:x', exp: hourLater(), guest: true, ...claims }, secret)}`,
    });
    await denials.revocations.revoke({ tokenId: 'gone' }, 60_000);
    for (const headers of [
      bearer({ exp: 1 }),
      bearer({ sub: 'ada' }),
      bearer({ guest: undefined }),
      bearer({ jti: 'gone' }),
      { authorization: 'Bearer x' },
    ]) {
      expect((await session({}, headers)).statusCode).toBe(401);
    }
    expect((await session({}, bearer({}))).json().subject).toBe('guest:x');
  });

  test('are limited by address, and from pages of listed origins alone', async () => {
    waitMs = 1_500;
    const limited = await session({});
    expect([limited.statusCode, limited.headers['retry-after']]).toEqual([429, '2']);
    waitMs = undefined;
    expect((await session({}, { origin: 'https://evil.example' })).statusCode).toBe(403);
    const listed = await session({}, { origin: 'https://app.example.com' });
    expect(listed.headers['access-control-allow-origin']).toBe('https://app.example.com');
    const preflight = await http.inject({
      method: 'OPTIONS',
      url: '/api/session',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
    });
    expect([preflight.statusCode, preflight.headers['access-control-allow-headers']]).toEqual([
      204,
      'authorization, content-type',
    ]);
  });
});

describe('bans over HTTP', () => {
  test('hold and are lifted', async () => {
    const ban = { hub: 'bots', room: 'r/1', subject: 'eve' };
    expect((await post('/api/bans', { ...ban, forSeconds: 60 }, authorized)).statusCode).toBe(204);
    expect(denials.bans.isBanned(ban)).toBe(true);
    expect(denials.bans.isBanned({ ...ban, room: 'r' })).toBe(false);
    const lifted = await http.inject({
      method: 'DELETE',
      url: '/api/bans/bots/r%2F1/eve',
      headers: authorized,
    });
    expect(lifted.statusCode).toBe(204);
    expect(denials.bans.isBanned(ban)).toBe(false);
    expect((await post('/api/revocations', { subject: 'eve', forSeconds: 60 }, authorized)).statusCode).toBe(
      204,
    );
    expect(denials.revocations.isRevoked({ subject: 'eve' })).toBe(true);
  });

  test.each([
    ['/api/bans', { hub: 'bots', room: 'r', subject: 'eve' }, 400],
    ['/api/bans', { hub: 'bots', room: 'r', subject: 'eve', forSeconds: -1 }, 400],
    ['/api/bans', { hub: 'nothing', room: 'r', subject: 'eve', forSeconds: 1 }, 404],
    ['/api/revocations', { forSeconds: 1 }, 400],
    ['/api/revocations', { subject: 'a', tokenId: 'b', forSeconds: 1 }, 400],
  ])('%s %j is %i', async (path, payload, status) => {
    expect((await post(path, payload, authorized)).statusCode).toBe(status);
    expect((await post(path, payload)).statusCode).toBe(401);
  });
});

describe('every answer', () => {
  test('has the security headers; HSTS where a trusted proxy says TLS', async () => {
    const plain = await http.inject({ url: '/nothing' });
    expect(plain.headers['x-content-type-options']).toBe('nosniff');
    expect(plain.headers['content-security-policy']).toMatch(/script-src 'self';.*frame-ancestors 'none'/);
    expect(plain.headers['content-security-policy']).not.toMatch(/unsafe|https:/);
    expect(plain.headers['strict-transport-security']).toBeUndefined();
    expect(plain.headers['x-powered-by'] ?? plain.headers.server).toBeUndefined();
    const secure = await http.inject({ url: '/nothing', headers: { 'x-forwarded-proto': 'https' } });
    expect(secure.headers['strict-transport-security']).toMatch(/max-age=31536000/);
  });

  test('tells nothing of a fault of the service', async () => {
    const broken = await http.inject({ url: '/broken' });
    expect([broken.statusCode, broken.json().error.code]).toEqual([500, 'internal']);
    expect(broken.body).not.toMatch(/hunter2|at .*\.ts/);
    expect((await http.inject({ url: '/nothing' })).json()).toMatchObject({ error: { code: 'not_found' } });
  });

  test.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['headers past 16 KB', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ])('to %s comes as HTTP', async (_case, request, status) => {
    const { port } = http.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    socket.end(request);
    expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

test('without a service token nothing of it is served', async () => {
  const closed = await open();
  serveMessages(closed, { hubs, serviceTokens: [] });
  serveBans(closed, { denials, hubs, serviceTokens: [] });
  for (const path of [url, '/api/bans']) {
    expect((await closed.inject({ method: 'POST', url: path, headers: authorized })).statusCode).toBe(404);
  }
  await closed.close();
});
