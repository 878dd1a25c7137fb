import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type ClaimRules, readClaims } from './claims.ts';
import { AuthenticationError } from './errors.ts';
import type { Identity } from './identity.ts';

/**
 * Tokens signed with a shared secret (RFC 7515, RFC 7519) by `node:crypto`, since it verifies in the same step: a
 * handshake costs a quarter more where it waits for a promise. A token's header chooses the hash and nothing else.
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
  readonly rooms?: readonly (
    | string
    | { readonly room: string; readonly from: number; readonly epoch?: string }
  )[];
}

const header = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');
/** In characters. A token stands in each handshake: what is longer is none, whoever signed it. */
export const longestToken = 8_192;

/** A secret, or a key made of one once: `createSecretKey`. */
export type SharedKey = string | KeyObject;

type Hash = 'sha256' | 'sha384' | 'sha512';
const hashes = new Map<unknown, Hash>([
  ['HS256', 'sha256'],
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
]);

/** Whether a token's header names one of these algorithms. */
export function isSharedKeyAlgorithm(algorithm: unknown): boolean {
  return hashes.has(algorithm);
}

/** Signed with HS256. */
export function signToken(claims: TokenClaims, secret: SharedKey): string {
  const issued = { iat: Math.floor(Date.now() / 1000), ...claims };
  const signed = `${header}.${Buffer.from(JSON.stringify(issued)).toString('base64url')}`;
  return `${signed}.${signatureOf(signed, secret, 'sha256').toString('base64url')}`;
}

/**
 * @param secrets each verifies: two while one replaces the other
 * @throws AuthenticationError
 */
export function verifyToken(token: string, secrets: readonly SharedKey[], rules: ClaimRules): Identity {
  if (token.length > longestToken) throw new AuthenticationError('invalid', 'the token is too long');
  const [head, payload, signature, ...more] = token.split('.');
  if (head === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw new AuthenticationError('invalid', 'the token is no JWT');
  }
  const hash = head === header ? 'sha256' : hashOf(parsePart(head));
  const given = Buffer.from(signature, 'base64url');
  if (!secrets.some((secret) => isEqual(given, signatureOf(`${head}.${payload}`, secret, hash)))) {
    throw new AuthenticationError('invalid', "the token's signature does not hold");
  }
  return readClaims(parsePart(payload), rules);
}

/** @throws AuthenticationError */
function hashOf(head: unknown): Hash {
  const { alg, crit } = (head ?? {}) as { alg?: unknown; crit?: unknown };
  const hash = hashes.get(alg);
  if (!hash) throw new AuthenticationError('invalid', 'the token is not signed with HS256, HS384 or HS512');
  // RFC 7515, 4.1.11: who does not understand all that is named there must not take the token.
  if (crit !== undefined) {
    throw new AuthenticationError(
      'invalid',
      'the token wants extensions that the service does not know (crit)',
    );
  }
  return hash;
}

function signatureOf(signed: string, secret: SharedKey, hash: Hash): Buffer {
  return createHmac(hash, secret).update(signed).digest();
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
