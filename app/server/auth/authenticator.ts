import { createSecretKey } from 'node:crypto';
import type { Logger } from 'pino';
import type { AuthSettings } from '../environment.ts';
import { AuthenticationError } from './errors.ts';
import { isSharedKeyAlgorithm, longestToken, verifyToken } from './hmac.ts';
import type { Identity } from './identity.ts';
import type { JwksOptions } from './jwks.ts';

/**
 * Tells who a token is of. Synchronous where the key is a shared secret: a handshake does not wait.
 * @throws AuthenticationError (or rejects with it)
 */
export type Authenticator = (token: unknown) => Identity | Promise<Identity>;

/**
 * @param log hears why an identity provider's keys can't be fetched
 * @returns undefined where nobody is authenticated
 */
export function createAuthenticator(
  settings: AuthSettings,
  log?: Pick<Logger, 'warn'>,
): Authenticator | undefined {
  if (settings.none) return undefined;
  const { jwksUrl: url } = settings;
  const secrets = settings.secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  const { issuer, audience, subjectClaim, nameClaim } = settings;
  const rules = { issuer, audience, subjectClaim, nameClaim };
  const byKeys = url === undefined ? undefined : verifierByKeys({ url, rules, log });
  return (token) => {
    if (typeof token !== 'string' || token === '') {
      throw new AuthenticationError('missing', 'no token: give one in auth.token, or by accessTokenFactory');
    }
    if (token.length > longestToken) throw new AuthenticationError('invalid', 'the token is too long');
    if (!byKeys) return verifyToken(token, secrets, rules);
    if (secrets.length === 0) return byKeys(token);
    return isOfSharedKey(token) ? verifyToken(token, secrets, guestRules) : byKeys(token);
  };
}

/** What it takes is loaded only where an identity provider is. */
function verifierByKeys(options: JwksOptions): (token: string) => Promise<Identity> {
  const opened = import('./jwks.ts').then(({ jwksVerifier }) => jwksVerifier(options));
  return async (token) => (await opened)(token);
}

/** Guests' tokens are the service's own: the issuer's rules are for the provider's. */
const guestRules = {};

/** Where both kinds are taken, the header says which is meant, and each is verified by its own keys alone. */
function isOfSharedKey(token: string): boolean {
  try {
    const head = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8');
    return isSharedKeyAlgorithm((JSON.parse(head) as { alg?: unknown }).alg);
  } catch {
    return false;
  }
}
