import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthenticator } from '../../../../app/server/auth/authenticator.ts';
import { signToken } from '../../../../app/server/auth/hmac.ts';
import { jwksVerifier, type KeyTimes } from '../../../../app/server/auth/jwks.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';
import { eventually } from '../../../support/wait.ts';

const keep = stoppedAfterwards();
const secret = 'a secret of thirty-two characters';
const inAnHour = Math.floor(Date.now() / 1000) + 3_600;

/** The provider's, and those of someone else. */
const [keys, others] = [rsaKeys(), rsaKeys()];

/** An identity provider's keys, published on loopback. */
async function provider() {
  let answer = publish(keySet(keys.publicKey, 'k1'));
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    server.close();
    server.closeAllConnections();
  };
  await keep({ stop });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    token: (key = keys.privateKey) => tokenBy(key),
    asked: () => asked,
    respondWith: (other: RequestListener) => {
      answer = other;
    },
  };
}

function keySet(key: KeyObject, kid: string): object {
  return { keys: [{ ...key.export({ format: 'jwk' }), kid, alg: 'RS256' }] };
}

function publish(published: object): RequestListener {
  return (_request, response) => response.end(JSON.stringify(published));
}

function rsaKeys() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function tokenBy(key: KeyObject, header: object = {}, claims: object = {}): string {
  const head = { alg: 'RS256', kid: 'k1', ...header };
  const text = `${encode(head)}.${encode({ sub: 'ada', name: 'Ada', exp: inAnHour, ...claims })}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

const settings = { issuer: undefined, audience: undefined, guests: false, none: false };

test('a token of an identity provider is verified by the keys that it publishes', async () => {
  const { url, token } = await provider();
  const authenticate = createAuthenticator({ ...settings, secrets: [], jwksUrl: url });
  expect(await authenticate?.(token())).toMatchObject({ subject: 'ada', name: 'Ada', guest: false });
});

test("beside a provider with claims of its own, guests' tokens keep theirs", async () => {
  const { url } = await provider();
  const claims = { subjectClaim: 'oid', nameClaim: 'upn' };
  const authenticate = createAuthenticator({ ...settings, ...claims, secrets: [secret], jwksUrl: url });
  const token = tokenBy(keys.privateKey, {}, { oid: '7', upn: 'Lin' });
  expect(await authenticate?.(token)).toMatchObject({ subject: '7', name: 'Lin' });
  const guest = signToken({ sub: 'guest:1', guest: true, exp: inAnHour }, secret);
  expect(await authenticate?.(guest)).toMatchObject({ subject: 'guest:1' });
});

test('a key that was not published, and the public key taken for a secret, are refused', async () => {
  const { url, token } = await provider();
  const authenticate = createAuthenticator({ ...settings, secrets: [], jwksUrl: url });
  await expect(authenticate?.(token(others.privateKey))).rejects.toThrow("can't be verified");

  const text = `${encode({ alg: 'HS256', kid: 'k1' })}.${encode({ sub: 'eve', exp: inAnHour })}`;
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'pem' });
  const forged = createHmac('sha256', publicKey).update(text).digest('base64url');
  await expect(authenticate?.(`${text}.${forged}`)).rejects.toThrow("can't be verified");
});

test('beside a provider, guests come with tokens of the service itself', async () => {
  const { url, token } = await provider();
  const authenticate = createAuthenticator({ ...settings, secrets: [secret], jwksUrl: url });
  const guest = signToken({ sub: 'guest:1', guest: true, exp: inAnHour }, secret);
  expect(await authenticate?.(guest)).toMatchObject({ subject: 'guest:1', guest: true });
  expect(await authenticate?.(token())).toMatchObject({ subject: 'ada' });
});

test('keys that are away are no verdict on the token', async () => {
  const authenticate = createAuthenticator({ ...settings, secrets: [], jwksUrl: 'http://127.0.0.1:9/jwks' });
  const { token } = await provider();
  await expect(authenticate?.(token())).rejects.toMatchObject({ code: 'unavailable' });
});

/** @param times in which a test need not wait: keys are old at once, and a fetch may follow on a fetch */
function verifierOf(url: string, times: Partial<KeyTimes> = { fresh: 0, cooldown: 0, retry: 0 }) {
  const warnings: string[] = [];
  const log = { warn: (text: string) => void warnings.push(text) } as never;
  return { verify: jwksVerifier({ url, rules: {}, log, times }), warnings };
}

test('a provider that signs with a new key is asked for it, and the old key is gone with the next fetch', async () => {
  const { url, token, respondWith } = await provider();
  const { verify } = verifierOf(url);
  await verify(token());
  respondWith(publish(keySet(others.publicKey, 'k2')));
  expect(await verify(tokenBy(others.privateKey, { kid: 'k2' }))).toMatchObject({ subject: 'ada' });
  await expect(verify(tokenBy(keys.privateKey))).rejects.toMatchObject({ code: 'invalid' });
});

test.each<[string, RequestListener, RegExp]>([
  ['hangs', () => undefined, /timeout/],
  ['hangs in the middle', (_request, response) => void response.write('{"keys":['), /timeout|aborted/],
  ['answers with an error', (_request, response) => void response.writeHead(500).end(), /answered 500/],
  ['leads elsewhere', (_request, response) => void response.writeHead(302).end(), /answered 302/],
  ['answers with a page', (_request, response) => void response.end('<html>'), /JSON/],
  ['has no keys', (_request, response) => void response.end('{}'), /JSON Web Key Set/],
  [
    'answers without end',
    (_request, response) => {
      const fill = () => {
        while (response.write('x'.repeat(65_536)) && !response.destroyed);
      };
      response.on('drain', fill);
      fill();
    },
    /more than 262144 bytes/,
  ],
])('while the provider %s, its last keys serve, and the log says why', async (_case, answer, reason) => {
  const { url, token, asked, respondWith } = await provider();
  const { verify, warnings } = verifierOf(url, { fresh: 0, cooldown: 0, retry: 0, timeout: 1_000 });
  await verify(token());
  respondWith(answer);
  expect(await verify(token())).toMatchObject({ subject: 'ada' });
  await eventually('the log to say why', () => warnings.length > 0);
  expect(warnings.join()).toMatch(reason);
  expect(warnings.join()).toContain('the last known ones serve meanwhile');
  expect(asked()).toBeGreaterThanOrEqual(2);
  // Whether an unknown key is a new one can't be said now.
  await expect(verify(tokenBy(others.privateKey, { kid: 'k9' }))).rejects.toMatchObject({
    code: 'unavailable',
  });
});

test('unknown keys make it ask no more often than it may, also while the provider is away', async () => {
  const { url, asked, respondWith } = await provider();
  const { verify } = verifierOf(url, { cooldown: 60_000, retry: 60_000 });
  const forged = () => verify(tokenBy(others.privateKey, { kid: 'k9' }));
  respondWith((_request, response) => void response.writeHead(500).end());
  for (let n = 0; n < 3; n += 1) await expect(forged()).rejects.toMatchObject({ code: 'unavailable' });
  expect(asked()).toBe(1);
  const other = await provider();
  const { verify: verifyThere } = verifierOf(other.url, { cooldown: 60_000 });
  await verifyThere(other.token());
  for (let n = 0; n < 3; n += 1) {
    await expect(verifyThere(tokenBy(others.privateKey, { kid: 'k9' }))).rejects.toMatchObject({
      code: 'invalid',
    });
  }
  expect(other.asked()).toBe(1);
});

test('what must be understood and is not, is refused: unknown extensions, unencoded payloads', async () => {
  const { url } = await provider();
  const { verify } = verifierOf(url, {});
  for (const header of [
    { crit: ['exp'], exp: 1 },
    { crit: ['http://example.com/x'], 'http://example.com/x': true },
    { crit: [] },
    { crit: 'x' },
    { crit: ['b64'], b64: false },
  ]) {
    await expect(verify(tokenBy(keys.privateKey, header))).rejects.toMatchObject({ code: 'invalid' });
  }
});

test('clocks of provider and service may differ by seconds', async () => {
  const { url } = await provider();
  const { verify } = verifierOf(url, {});
  const soon = Math.floor(Date.now() / 1_000) + 3;
  expect(await verify(tokenBy(keys.privateKey, {}, { nbf: soon }))).toMatchObject({ subject: 'ada' });
});

test('what is too long for a token is not looked at, whatever it is signed with', async () => {
  const { url, asked } = await provider();
  const authenticate = createAuthenticator({ ...settings, secrets: [secret], jwksUrl: url });
  const long = tokenBy(keys.privateKey, {}, { more: 'x'.repeat(9_000) });
  expect(() => authenticate?.(long)).toThrow('too long');
  expect(() => authenticate?.(`${'x'.repeat(90_000)}.x.x`)).toThrow('too long');
  expect(asked()).toBe(0);
});
