import { createHash } from 'node:crypto';
import { createAuthenticator } from '../../../../app/server/auth/authenticator.ts';
import { signToken, type TokenClaims } from '../../../../app/server/auth/hmac.ts';
import { openDenials } from '../../../../app/server/deny-list/open-denials.ts';
import { createHttp } from '../../../../app/server/http/create.ts';
import { openLimits } from '../../../../app/server/limits/limits.ts';
import { serveLiveKit } from '../../../../app/server/livekit/serve.ts';
import { RefusedError } from '../../../../app/server/rooms/log/log.ts';
import { silent } from '../../../support/redis/link.ts';

type Http = Awaited<ReturnType<typeof createHttp>>;

const secret = 'a secret of thirty-two characters';
const access = {
  url: 'wss://livekit.example.com',
  // Nothing listens there.
  apiUrl: 'http://127.0.0.1:9',
  apiKey: 'key',
  apiSecret: 'the secret of LiveKit, of forty characters',
  previous: { apiKey: 'key-before', apiSecret: 'the secret before that one, of as many' },
};
const nowSeconds = () => Math.floor(Date.now() / 1_000);

const published: unknown[][] = [];
let fault: Error | undefined;
const rooms = {
  publish: async (...call: unknown[]) => {
    if (fault) throw fault;
    published.push(call);
    return { epoch: 'E', offset: published.length };
  },
};
const denials = openDenials({
  links: undefined,
  deployment: 'test',
  servesAlone: false,
  log: silent,
  hubs: () => [],
});
const limits = openLimits({
  deployment: 'test',
  rules: { callsByUser: { name: 'call', burst: 20, perSecond: 1 } },
});

async function open(configured: boolean, none = false): Promise<Http> {
  const http = await createHttp({ log: silent, trustedProxyHops: 0, idleTimeoutSeconds: 60 });
  const auth = { secrets: none ? [] : [secret], jwksUrl: undefined, issuer: undefined, audience: undefined };
  await serveLiveKit(http, {
    access: configured ? access : undefined,
    authenticate: createAuthenticator({ ...auth, guests: false, none }),
    hubs: new Map([['chat', rooms]]),
    corsOrigins: ['https://app.example.com'],
    trustedProxyHops: 0,
    denials,
    limits,
    log: silent,
    watch: { isOnDuty: async () => true },
  });
  return http;
}

let http: Http;
beforeAll(async () => {
  http = await open(true);
});
afterEach(() => {
  fault = undefined;
  published.length = 0;
});
afterAll(async () => {
  await http.close();
  limits.close();
  denials.close();
});

const userToken = (claims: Partial<TokenClaims> = {}) =>
  signToken({ sub: 'ada', exp: nowSeconds() + 3_600, ...claims }, secret);
const ask = (payload: object, token: string | undefined = userToken(), at = http) =>
  at.inject({
    method: 'POST',
    url: '/api/livekit/token',
    headers: token === '' ? {} : { authorization: `Bearer ${token}` },
    payload,
  });
const claimsOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[1] as string, 'base64url').toString('utf8'));

describe('a token for a call', () => {
  test('lets one participant into one room, for ten minutes, signed with the API secret', async () => {
    const answer = await ask({ room: 'lobby' }, userToken({ name: 'Ada' }));
    const { token, identity, expiresAt, ...rest } = answer.json();
    expect(rest).toEqual({ url: 'wss://livekit.example.com', room: 'lobby' });
    expect(answer.headers['cache-control']).toBe('no-store');
    const claims = claimsOf(token);
    expect(claims).toMatchObject({ iss: 'key', sub: identity, name: 'Ada', attributes: { subject: 'ada' } });
    expect(claims.video).toEqual({
      roomJoin: true,
      room: 'lobby',
      canPublish: true,
      canSubscribe: true,
      canPublishData: true,
    });
    expect(claims).not.toHaveProperty('roomConfig');
    expect(claims.exp - nowSeconds()).toBeLessThanOrEqual(600);
    expect(claims.exp - nowSeconds()).toBeGreaterThan(500);
    expect(Math.abs(expiresAt / 1_000 - claims.exp)).toBeLessThan(3);
  });

  test('each has an identity of its own, so that a user can be in a call twice', async () => {
    const [one, two] = await Promise.all([ask({ room: 'r' }), ask({ room: 'r' })]);
    expect(one.json().identity).not.toBe(two.json().identity);
  });

  test('does not outlive the token that it was asked with', async () => {
    const { token } = (await ask({ room: 'r' }, userToken({ exp: nowSeconds() + 30 }))).json();
    expect(claimsOf(token).exp - nowSeconds()).toBeLessThanOrEqual(30);
  });

  test('asks for the agent by name where that is wished', async () => {
    const { token } = (await ask({ room: 'r', agent: true })).json();
    expect(claimsOf(token).roomConfig).toMatchObject({ agents: [{ agentName: 'voice' }] });
  });

  test.each([
    ['no token', '', 401, 'missing'],
    [
      'a token of another key',
      signToken({ sub: 'ada', exp: nowSeconds() + 60 }, 'x'.repeat(32)),
      401,
      'invalid',
    ],
    ['an ended one', userToken({ exp: nowSeconds() - 60 }), 401, 'expired'],
    ['one for other rooms', userToken({ rooms: ['chat/team-*'] }), 403, 'forbidden'],
  ])('%s is refused', async (_case, token, status, code) => {
    const answer = await ask({ room: 'lobby' }, token);
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
  });

  test('who is banned from the chat room, or revoked, gets none', async () => {
    await denials.bans.ban({ hub: 'chat', room: 'r', subject: 'eve' }, 60_000);
    await denials.revocations.revoke({ subject: 'mallory' }, 60_000);
    expect((await ask({ room: 'r' }, userToken({ sub: 'eve' }))).statusCode).toBe(403);
    expect((await ask({ room: 'r' }, userToken({ sub: 'mallory' }))).json().error.code).toBe('revoked');
  });

  test.each([
    [{}],
    [{ room: '' }],
    [{ room: 'x'.repeat(129) }],
    [{ room: 'a\u0000b' }],
    [{ room: 'r', agent: 'x' }],
  ])('%j is a bad request', async (payload) => {
    const answer = await ask(payload);
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bad_request']);
  });

  test('who asks too often waits', async () => {
    const token = userToken({ sub: 'flood' });
    const codes = [];
    for (let n = 0; n < 25; n += 1) codes.push((await ask({ room: 'r' }, token)).statusCode);
    expect(codes.at(-1)).toBe(429);
  });

  test('where nobody is authenticated, anyone gets one, and a subject of its own', async () => {
    const open_ = await open(true, true);
    const [one, two] = await Promise.all([ask({ room: 'r' }, '', open_), ask({ room: 'r' }, '', open_)]);
    expect(claimsOf(one.json().token).attributes.subject).toMatch(/^anonymous:/);
    expect(one.json().identity).not.toBe(two.json().identity);
    await open_.close();
  });

  test('pages of CORS_ORIGINS may ask, those of other origins not', async () => {
    const from = (origin: string) =>
      http.inject({
        method: 'OPTIONS',
        url: '/api/livekit/token',
        headers: { origin, host: 'api.example.com' },
      });
    expect((await from('https://app.example.com')).headers['access-control-allow-origin']).toBe(
      'https://app.example.com',
    );
    expect((await from('https://evil.example')).statusCode).toBe(403);
  });
});

/** As LiveKit's notifier signs: a token whose `sha256` is that of the body, in base64. */
function signed(body: string, key = access.apiSecret, issuer = access.apiKey): string {
  const sha256 = createHash('sha256').update(body).digest('base64');
  const claims = { iss: issuer, nbf: nowSeconds(), exp: nowSeconds() + 300, sha256 };
  return signToken(claims as unknown as TokenClaims, key);
}

const event = (more: object = {}) =>
  JSON.stringify({
    event: 'participant_joined',
    id: 'EV_abc',
    createdAt: String(nowSeconds()),
    room: { sid: 'RM_1', name: 'lobby' },
    participant: {
      sid: 'PA_1',
      identity: 'ada~x1',
      name: 'Ada',
      attributes: { subject: 'ada' },
      permission: { canPublish: true },
    },
    aFieldOfTheFuture: 1,
    ...more,
  });
const send = (
  body: string,
  authorization: string | undefined = signed(body),
  type = 'application/webhook+json',
) =>
  http.inject({
    method: 'POST',
    url: '/api/livekit/webhook',
    headers: { 'content-type': type, ...(authorization === '' ? {} : { authorization }) },
    payload: body,
  });

describe('the webhook', () => {
  test('tells the room of the call, with the id of the event', async () => {
    expect((await send(event())).statusCode).toBe(204);
    const body = { call: 'joined', subject: 'ada', name: 'Ada', text: 'Ada joined the call' };
    expect(published).toEqual([['lobby', body, { id: 'EV_abc', from: 'livekit' }]]);
  });

  test.each([
    [
      { event: 'room_started', participant: undefined },
      { call: 'started', text: 'The call has started' },
    ],
    [
      { event: 'room_finished', participant: undefined },
      { call: 'ended', text: 'The call has ended' },
    ],
    [
      { event: 'participant_left', participant: { identity: 'ada~x1', attributes: { subject: 'ada' } } },
      { call: 'left', subject: 'ada', text: 'ada left the call' },
    ],
    [
      { participant: { identity: 'agent-AJ_1', kind: 'AGENT' } },
      { call: 'joined', subject: 'agent-AJ_1', agent: true, text: 'agent-AJ_1 joined the call' },
    ],
  ])('%j', async (more, body) => {
    expect((await send(event(more))).statusCode).toBe(204);
    expect(published.map(([, payload]) => payload)).toEqual([body]);
  });

  test.each([
    ['a track', { event: 'track_published' }],
    ['a recorder', { participant: { identity: 'EG_1', kind: 'EGRESS' } }],
    ['someone hidden', { participant: { identity: 'x', permission: { hidden: true } } }],
    ['a room whose name is no chat room', { room: { name: 'x'.repeat(200) } }],
    ['an event that the room could have forgotten', { createdAt: String(nowSeconds() - 110) }],
  ])('%s is told nobody', async (_case, more) => {
    expect((await send(event(more))).statusCode).toBe(204);
    expect(published).toEqual([]);
  });

  test('a node that is being replaced signs with the key before', async () => {
    const { apiKey, apiSecret } = access.previous;
    expect((await send(event(), signed(event(), apiSecret, apiKey))).statusCode).toBe(204);
    expect(published).toHaveLength(1);
  });

  test.each([
    ['no signature', event(), ''],
    ['one of another secret', event(), signed(event(), 'x'.repeat(40))],
    ['one of another key', event(), signed(event(), access.apiSecret, 'other')],
    [
      'one of the key before, with this one’s secret',
      event(),
      signed(event(), access.apiSecret, 'key-before'),
    ],
    ['one of another body', event({ id: 'EV_forged' }), signed(event())],
    ['no JSON', '{', signed('{')],
  ])('%s is refused', async (_case, body, authorization) => {
    expect((await send(body, authorization)).statusCode).toBe(401);
    expect(published).toEqual([]);
  });

  test('what could not be written is tried again by LiveKit', async () => {
    fault = new RefusedError('Redis is away');
    expect((await send(event())).statusCode).toBe(503);
  });

  test('other routes still take JSON', async () => {
    expect((await ask({ room: 'r' })).statusCode).toBe(200);
  });
});

test('participants: LiveKit that can not be asked is said so', async () => {
  const answer = await http.inject({
    method: 'GET',
    url: '/api/livekit/participants?room=lobby',
    headers: { authorization: `Bearer ${userToken()}` },
  });
  expect([answer.statusCode, answer.json().error.code]).toEqual([503, 'unavailable']);
  const stranger = await http.inject({ method: 'GET', url: '/api/livekit/participants?room=lobby' });
  expect(stranger.statusCode).toBe(401);
});

test('without LiveKit every route says so', async () => {
  const without = await open(false);
  const answers = await Promise.all([
    ask({ room: 'r' }, userToken(), without),
    without.inject({ method: 'POST', url: '/api/livekit/agent', payload: { room: 'r' } }),
    without.inject({ method: 'POST', url: '/api/livekit/webhook', payload: {} }),
    without.inject({ method: 'GET', url: '/api/livekit/participants?room=r' }),
  ]);
  for (const answer of answers) {
    expect(answer.statusCode).toBe(404);
    expect(answer.json().error).toMatchObject({
      code: 'not_configured',
      message: expect.stringContaining('LIVEKIT_URL'),
    });
  }
  await without.close();
});
