import { randomBytes } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator.ts';
import { AuthenticationError } from '../auth/errors.ts';
import { grantByClaims, type Identity } from '../auth/identity.ts';
import type { Denials } from '../deny-list/open-denials.ts';
import { HttpError } from '../http/errors.ts';
import type { Limits } from '../limits/limits.ts';
import { bearerTokenIn } from '../net/bearer-token.ts';
import { clientAddress } from '../net/client-address.ts';

/** The hub whose room of the same name a call belongs to: who may join the one may join the other. */
export const callHub = 'chat';

export interface CallerOptions {
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  readonly denials: Denials;
  readonly limits: Pick<Limits, 'call' | 'session'>;
  readonly trustedProxyHops: number;
}

/**
 * Who asks, by the token that a handshake would carry, here as Bearer.
 * @throws HttpError 401, 429, or 503 while the keys can't be fetched
 */
export async function callerOf(request: FastifyRequest, options: CallerOptions): Promise<Identity> {
  const { authenticate, denials, limits, trustedProxyHops } = options;
  const address = clientAddress(request.raw, trustedProxyHops);
  if (!authenticate) {
    assertWithinLimit(limits.session(address));
    return { subject: `anonymous:${randomBytes(9).toString('base64url')}`, guest: true };
  }
  try {
    const token = bearerTokenIn(request.headers);
    if (token === undefined) {
      throw new AuthenticationError('missing', 'no token: give one as Authorization: Bearer …');
    }
    const identity = await authenticate(token);
    denials.revocations.admit(identity);
    assertWithinLimit(limits.call(identity, address));
    return identity;
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    throw new HttpError(error.code === 'unavailable' ? 503 : 401, error.code, error.message);
  }
}

/** @throws HttpError 403 where the chat room of that name is not the caller's to join */
export function checkRoom(identity: Identity, room: string, { denials }: CallerOptions): void {
  const { subject } = identity;
  const isBanned = denials.bans.isBanned({ hub: callHub, room, subject });
  if (isBanned || !grantByClaims(identity, callHub, room)) {
    throw new HttpError(403, 'forbidden', 'you may not join the call of this room');
  }
}

function assertWithinLimit(waitMs: number | undefined): void {
  if (waitMs === undefined) return;
  throw new HttpError(429, 'rate_limited', `try again in ${waitMs} ms`, Math.ceil(waitMs / 1_000));
}
