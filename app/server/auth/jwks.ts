import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { type ClaimRules, readClaims } from './claims.ts';
import { AuthenticationError } from './errors.ts';
import type { Identity } from './identity.ts';

/** Keys are asked for at most this long, in milliseconds: a handshake waits for them. */
const timeoutMs = 5_000;
/** Signatures by a private key alone: a shared secret has no place in published keys. */
const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

/** Verifies tokens by the keys that an identity provider publishes; they are fetched anew as it rotates them. */
export function jwksVerifier(url: string, rules: ClaimRules): (token: string) => Promise<Identity> {
  const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: timeoutMs, cooldownDuration: 30_000 });
  return async (token) => {
    const { payload } = await jwtVerify(token, keys, { algorithms }).catch((error: Error) => {
      throw explain(error);
    });
    return readClaims(payload, rules);
  };
}

function explain(error: Error): AuthenticationError {
  if (error instanceof errors.JWTExpired) {
    return new AuthenticationError('expired', 'the token has expired: get a new one');
  }
  const isOfToken =
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported;
  if (isOfToken) return new AuthenticationError('invalid', "the token can't be verified");
  return new AuthenticationError('unavailable', "the keys can't be fetched now: try again");
}
