import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type ClaimRules, readClaims } from './claims.ts';
import { AuthenticationError } from './errors.ts';
import type { Identity } from './identity.ts';

/**
 * HS256 tokens (RFC 7515, RFC 7519) by `node:crypto`, since it verifies in the same step: a handshake costs a
 * quarter more where it waits for a promise. The algorithm is fixed, whatever a token's header says.
 */

/** What a token of ours says; `exp` in seconds since 1970. */
export interface TokenClaims {
  readonly sub: string;
  readonly exp: number;
  readonly name?: string;
  readonly guest?: true;
  readonly jti?: string;
  readonly iss?: string;
  readonly aud?: string;
  readonly rooms?: readonly (string | { readonly room: string; readonly from: number })[];
}

const header = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');
/** A token stands in each handshake: what is longer is not one of ours. */
const longestToken = 8_192;

/** A secret, or a key made of one once: `createSecretKey`. */
export type Hs256Key = string | KeyObject;

export function signToken(claims: TokenClaims, secret: Hs256Key): string {
  const issued = { iat: Math.floor(Date.now() / 1000), ...claims };
  const signed = `${header}.${Buffer.from(JSON.stringify(issued)).toString('base64url')}`;
  return `${signed}.${signatureOf(signed, secret).toString('base64url')}`;
}

/**
 * @param secrets each verifies: two while one replaces the other
 * @throws AuthenticationError
 */
export function verifyToken(token: string, secrets: readonly Hs256Key[], rules: ClaimRules): Identity {
  if (token.length > longestToken) throw new AuthenticationError('invalid', 'the token is too long');
  const [head, payload, signature, ...more] = token.split('.');
  if (head === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw new AuthenticationError('invalid', 'the token is no JWT');
  }
  if (head !== header && (parsePart(head) as { alg?: unknown } | null)?.alg !== 'HS256') {
    throw new AuthenticationError('invalid', 'the token is not signed with HS256');
  }
  const given = Buffer.from(signature, 'base64url');
  if (!secrets.some((secret) => isEqual(given, signatureOf(`${head}.${payload}`, secret)))) {
    throw new AuthenticationError('invalid', "the token's signature does not hold");
  }
  return readClaims(parsePart(payload), rules);
}

function signatureOf(signed: string, secret: Hs256Key): Buffer {
  return createHmac('sha256', secret).update(signed).digest();
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function parsePart(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    throw new AuthenticationError('invalid', 'the token is no JWT');
  }
}
