import { createSecretKey } from 'node:crypto';
import type { AuthSettings } from '../environment.ts';
import { AuthenticationError } from './errors.ts';
import { verifyToken } from './hs256.ts';
import type { Identity } from './identity.ts';
import { jwksVerifier } from './jwks.ts';

/**
 * Tells who a token is of. Synchronous for HS256: a handshake does not wait.
 * @throws AuthenticationError (or rejects with it)
 */
export type Authenticator = (token: unknown) => Identity | Promise<Identity>;

/** @returns undefined where nobody is authenticated */
export function createAuthenticator(settings: AuthSettings): Authenticator | undefined {
  if (settings.none) return undefined;
  const { jwksUrl } = settings;
  const secrets = settings.secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  const rules = { issuer: settings.issuer, audience: settings.audience };
  const byKeys = jwksUrl === undefined ? undefined : jwksVerifier(jwksUrl, rules);
  return (token) => {
    if (typeof token !== 'string' || token === '') {
      throw new AuthenticationError('missing', 'no token: give one in auth.token');
    }
    if (!byKeys) return verifyToken(token, secrets, rules);
    if (secrets.length === 0) return byKeys(token);
    return isHs256(token) ? verifyToken(token, secrets, guestRules) : byKeys(token);
  };
}

/** Guests' tokens are the service's own: the issuer's rules are for the provider's. */
const guestRules = {};

/** Where both kinds are taken, the header says which is meant, and each is verified by its own keys alone. */
function isHs256(token: string): boolean {
  try {
    const head = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8');
    return (JSON.parse(head) as { alg?: unknown }).alg === 'HS256';
  } catch {
    return false;
  }
}
