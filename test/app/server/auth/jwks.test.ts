import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthenticator } from '../../../../app/server/auth/authenticator.ts';
import { signToken } from '../../../../app/server/auth/hs256.ts';
import { stoppedAfterwards } from '../../../support/stopping.ts';

const keep = stoppedAfterwards();
const secret = 'a secret of thirty-two characters';
const inAnHour = Math.floor(Date.now() / 1000) + 3_600;

/** An identity provider's keys, published on loopback. */
async function provider() {
  const keys = rsaKeys();
  const published = { keys: [{ ...keys.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256' }] };
  const server = createServer((_request, response) => response.end(JSON.stringify(published)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await keep(Promise.resolve({ stop: async () => void server.close() }));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    keys,
    token: (key = keys.privateKey) => tokenBy(key),
  };
}

function rsaKeys() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function tokenBy(key: KeyObject): string {
  const text = `${encode({ alg: 'RS256', kid: 'k1' })}.${encode({ sub: 'ada', name: 'Ada', exp: inAnHour })}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

const settings = { issuer: undefined, audience: undefined, guests: false, none: false };

test('a token of an identity provider is verified by the keys that it publishes', async () => {
  const { url, token } = await provider();
  const authenticate = createAuthenticator({ ...settings, secrets: [], jwksUrl: url });
  expect(await authenticate?.(token())).toMatchObject({ subject: 'ada', name: 'Ada', guest: false });
});

test('a key that was not published, and the public key taken for a secret, are refused', async () => {
  const { url, keys, token } = await provider();
  const authenticate = createAuthenticator({ ...settings, secrets: [], jwksUrl: url });
  await expect(authenticate?.(token(rsaKeys().privateKey))).rejects.toThrow("can't be verified");

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
