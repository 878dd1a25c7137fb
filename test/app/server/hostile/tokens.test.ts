import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import { defaultRules } from '../../../../app/server/limits/limits.ts';
import { eventually } from '../../../support/wait.ts';
import { negotiate, RawSocket, signalRHub } from './raw.ts';
import { privateRoom, refusalOf, secret, serviceToken, Target, tokenOf } from './target.ts';

/** Who has no right to be here, or has lost it: on two instances that share a Redis. */

let target: Target;
beforeAll(async () => {
  target = await Target.start(2);
});
afterEach(() => target.expectSound());
afterAll(() => target.stop());

const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;
const claims = { sub: 'mallory', iss: 'us', aud: 'app', exp: inAnHour };
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const hmac = (text: string, key: string, hash = 'sha256') =>
  createHmac(hash, key).update(text).digest('base64url');

function jwt(header: object, payload: object, signatureOf: (text: string) => string): string {
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${signatureOf(text)}`;
}

describe('a token', () => {
  const hs256 = { alg: 'HS256', typ: 'JWT' };
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const good = tokenOf({ iss: 'us', aud: 'app' });
  const [head, payload, signature] = good.split('.') as [string, string, string];

  test.each([
    ['that is none', undefined, 'missing'],
    ['that is empty', '', 'missing'],
    ['that is an object', { toString: 'x' }, 'missing'],
    ['that is a list', [good], 'missing'],
    ['of garbage', 'garbage', 'invalid'],
    ['of three dots', '...', 'invalid'],
    ['of parts that are no JSON', 'YQ.YQ.YQ', 'invalid'],
    ['whose header is null', `${part(null)}.${payload}.${signature}`, 'invalid'],
    ['without a signature', `${head}.${payload}.`, 'invalid'],
    ['with half of a signature', `${head}.${payload}.${signature.slice(0, 20)}`, 'invalid'],
    ['with more parts', `${good}.x`, 'invalid'],
    ['with alg none', jwt({ alg: 'none' }, claims, () => ''), 'invalid'],
    ['with alg None, signed', jwt({ alg: 'None' }, claims, (text) => hmac(text, secret)), 'invalid'],
    [
      "with alg HS512, signed by another's hash",
      jwt({ alg: 'HS512' }, claims, (text) => hmac(text, secret, 'sha256')),
      'invalid',
    ],
    [
      'with alg RS256, signed with our secret',
      jwt({ alg: 'RS256' }, claims, (text) => hmac(text, secret)),
      'invalid',
    ],
    ['with alg HS256, signed with a public key', jwt(hs256, claims, (text) => hmac(text, pem)), 'invalid'],
    [
      'with a key of its own',
      jwt({ ...hs256, jwk: publicKey.export({ format: 'jwk' }) }, claims, (text) =>
        sign('sha256', Buffer.from(text), privateKey).toString('base64url'),
      ),
      'invalid',
    ],
    ['with another secret', jwt(hs256, claims, (text) => hmac(text, `${secret}x`)), 'invalid'],
    ['with an empty secret', jwt(hs256, claims, (text) => hmac(text, '')), 'invalid'],
    ['whose claims were changed', `${head}.${part({ ...claims, sub: 'ada' })}.${signature}`, 'invalid'],
    ['that has ended', tokenOf({ iss: 'us', aud: 'app', exp: 1 }), 'expired'],
    ['that never ends', jwt(hs256, { ...claims, exp: undefined }, (text) => hmac(text, secret)), 'invalid'],
    [
      'that ends at a text',
      jwt(hs256, { ...claims, exp: '9999999999' }, (text) => hmac(text, secret)),
      'invalid',
    ],
    ['that has not begun', jwt(hs256, { ...claims, nbf: inAnHour }, (text) => hmac(text, secret)), 'invalid'],
    ['of another issuer', tokenOf({ iss: 'them', aud: 'app' }), 'invalid'],
    ['of no issuer', tokenOf({ aud: 'app' }), 'invalid'],
    ['for another audience', tokenOf({ iss: 'us', aud: 'other' }), 'invalid'],
    ['of nobody', tokenOf({ iss: 'us', aud: 'app', sub: '' }), 'invalid'],
    ['of someone with control characters', tokenOf({ iss: 'us', aud: 'app', sub: 'a\nb' }), 'invalid'],
    ['that is too long', tokenOf({ iss: 'us', aud: 'app', name: 'x'.repeat(9_000) }), 'invalid'],
    ['the service token', serviceToken, 'invalid'],
  ])('%s lets nobody in', async (_case, token, code) => {
    expect(await refusalOf(target.connectWith({ token }))).toBe(code);
    const text = typeof token === 'string' ? token : '';
    const inQuery = new URLSearchParams({ access_token: text });
    for (const request of [
      negotiate(target, `?${inQuery}`),
      negotiate(target, '', { authorization: `Bearer ${text}` }),
    ]) {
      expect((await request).status).toBe(401);
    }
    const raw = new RawSocket(target, {}, `${signalRHub}?${inQuery}`);
    const [, { statusCode }] = await once(raw.ws, 'unexpected-response');
    expect(statusCode).toBe(401);
    raw.close();
  });

  test('that ends while its client is connected: nothing more is taken, and then the connection ends', async () => {
    const socket = target.connect({
      sub: 'late',
      exp: Math.ceil(Date.now() / 1_000) + 1,
      rooms: ['chat/open'],
    });
    expect(await ask(socket, 'join', { room: 'open' })).toMatchObject({ ok: true });
    await eventually('the token to end', async () => {
      const answer = await ask(socket, 'publish', { room: 'open', body: 1 }).catch(() => undefined);
      return answer?.ok === false;
    });
    await eventually('the connection to end', () => !socket.connected);
  });
});

function ask(socket: Socket, method: string, request: object) {
  return socket.timeout(60_000).emitWithAck(method, request);
}

async function operate(method: string, path: string, body?: object): Promise<number> {
  const response = await fetch(target.url + path, {
    method,
    headers: {
      authorization: `Bearer ${serviceToken}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return response.status;
}

/** The instance that is not the one that is told. */
const other = () => target.instances[1]?.url as string;

describe('who is banned', () => {
  test('is out on every instance, hears nothing more, and does not come back by any way', async () => {
    const eve = { sub: 'eve', rooms: ['chat/open'] };
    const heard: unknown[] = [];
    const expelled: string[] = [];
    const socket = target.connect(eve, other());
    socket.on('message', ({ body }) => heard.push(body));
    socket.on('expelled', ({ room }) => expelled.push(room));
    const { epoch } = await ask(socket, 'join', { room: 'open' });
    expect(
      await operate('POST', '/api/bans', { hub: 'chat', room: 'open', subject: 'eve', forSeconds: 60 }),
    ).toBe(204);
    await eventually('the expulsion', () => expelled.length > 0);

    const writer = target.connect({ sub: 'carl', rooms: ['chat/open'] });
    expect(await ask(writer, 'publish', { room: 'open', body: 'without eve' })).toMatchObject({ ok: true });
    // By a join, by a recovery, on a new connection, on each instance.
    for (const url of [target.url, other()]) {
      const again = target.connect(eve, url);
      for (const since of [undefined, { epoch, offset: 0 }]) {
        expect(await ask(again, 'join', { room: 'open', since })).toMatchObject({
          error: { code: 'forbidden' },
        });
      }
      expect(await ask(again, 'publish', { room: 'open', body: 1 })).toMatchObject({
        error: { code: 'forbidden' },
      });
      again.disconnect();
    }
    expect(heard).toEqual([]);

    expect(await operate('DELETE', '/api/bans/chat/open/eve')).toBe(204);
    await eventually(
      'the ban to be lifted elsewhere',
      async () => (await ask(socket, 'join', { room: 'open' })).ok,
    );
  });
});

describe('who is revoked', () => {
  test.each([
    ['by subject', { sub: 'frank' }, { subject: 'frank' }],
    ['by token', { sub: 'grace', jti: 'token-7' }, { tokenId: 'token-7' }],
  ])('%s is disconnected from every instance, and not let in again', async (_case, who, target_) => {
    const sockets = [target.connect(who), target.connect(who, other())];
    const bystander = target.connect({ sub: 'hal', jti: 'token-8' }, other());
    for (const socket of [...sockets, bystander]) await ask(socket, 'join', { room: 'open' });
    expect(await operate('POST', '/api/revocations', { ...target_, forSeconds: 60 })).toBe(204);
    await eventually('both to be disconnected', () => sockets.every(({ connected }) => !connected));
    for (const url of [target.url, other()]) {
      expect(await refusalOf(target.connect(who, url))).toBe('revoked');
    }
    expect(await ask(bystander, 'publish', { room: 'open', body: 1 })).toMatchObject({ ok: true });
  });
});

describe('rooms that a token does not name', () => {
  test.each([privateRoom, 'chat/open', 'opem', 'ope', '*', 'chat/*', ''])('%p', async (room) => {
    const socket = target.connect();
    for (const [method, request] of [
      ['join', { room }],
      ['join', { room, since: { epoch: '', offset: 0 }, acked: { epoch: '', offset: 1 } }],
      ['publish', { room, body: 'let me in' }],
    ] as const) {
      expect(await ask(socket, method, request)).toMatchObject({ ok: false });
    }
  });

  test('a token with an empty list names none', async () => {
    const socket = target.connect({ rooms: [] });
    expect(await ask(socket, 'join', { room: 'open' })).toMatchObject({ error: { code: 'forbidden' } });
  });
});

test('a user has so many connections and no more; closing one makes room', async () => {
  const sockets: Socket[] = [];
  for (let n = 0; n < 100; n += 1) sockets.push(target.connect({ sub: 'many' }));
  await eventually('a hundred connections', () => sockets.every(({ connected }) => connected));
  expect(await refusalOf(target.connect({ sub: 'many' }))).toBe('unavailable');
  sockets[0]?.disconnect();
  await eventually('room for one more', async () => {
    const socket = target.connect({ sub: 'many' });
    return new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('connect_error', () => resolve(false));
    });
  });
  for (const socket of sockets) socket.disconnect();
});

/** Two instances let through two bursts at once, and what each would alone, until both have settled: that is paid back. */
test('a flood of one user over both instances passes what one would let through', async () => {
  const sockets = [target.connect({ sub: 'flood' }), target.connect({ sub: 'flood' }, other())];
  const { burst, perSecond } = defaultRules.publishesByUser;
  const start = Date.now();
  let passed = 0;
  let limited = 0;
  await eventually('the head start to be paid back', async () => {
    const answers = await Promise.all(
      sockets.flatMap((socket) =>
        Array.from({ length: 25 }, () => ask(socket, 'publish', { room: 'open', body: 1 })),
      ),
    );
    passed += answers.filter(({ ok }) => ok).length;
    limited += answers.filter(({ error }) => error?.code === 'rate_limited').length;
    await delay(50);
    const seconds = (Date.now() - start) / 1_000;
    return limited > 0 && seconds > 3 && passed <= (burst + perSecond * seconds) * 1.1;
  });
});
