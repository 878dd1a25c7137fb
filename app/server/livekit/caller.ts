import { randomBytes } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator.ts';
import { AuthenticationError } from '../auth/errors.ts';
import type { Identity } from '../auth/identity.ts';
import { grantByClaims } from '../auth/room-claims.ts';
import { clientAddress } from '../http/client-address.ts';
import { HttpError } from '../http/errors.ts';
import type { Limits } from '../limits/limits.ts';
import type { Sessions } from '../sessions/open-sessions.ts';

/** The hub whose room of the same name a call belongs to: who may join the one may join the other. */
export const callHub = 'chat';

export interface CallerOptions {
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  readonly sessions: {
    readonly revocations: Pick<Sessions['revocations'], 'admit'>;
    readonly bans: Pick<Sessions['bans'], 'isBanned'>;
  };
  readonly limits: Pick<Limits, 'call' | 'session'>;
  readonly trustedProxyHops: number;
}

/**
 * Who asks, by the token that a handshake would carry, here as Bearer.
 * @throws HttpError 401, 429, or 503 while the keys can't be fetched
 */
export async function callerOf(request: FastifyRequest, options: CallerOptions): Promise<Identity> {
  const { authenticate, sessions, limits, trustedProxyHops } = options;
  if (!authenticate) {
    refuseIfTooMany(limits.session(clientAddress(request.raw, trustedProxyHops)));
    return { subject: `anonymous:${randomBytes(9).toString('base64url')}`, guest: true };
  }
  try {
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) {
      throw new AuthenticationError('missing', 'no token: give one as Authorization: Bearer …');
    }
    const identity = await authenticate(token);
    sessions.revocations.admit(identity);
    refuseIfTooMany(limits.call(identity));
    return identity;
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    throw new HttpError(error.code === 'unavailable' ? 503 : 401, error.code, error.message);
  }
}

/** @throws HttpError 403 where the chat room of that name is not the caller's to join */
export function checkRoom(identity: Identity, room: string, { sessions }: CallerOptions): void {
  const { subject } = identity;
  const isBanned = sessions.bans.isBanned({ hub: callHub, room, subject });
  if (isBanned || !grantByClaims(identity, callHub, room)) {
    throw new HttpError(403, 'forbidden', 'you may not join the call of this room');
  }
}

function refuseIfTooMany(waitMs: number | undefined): void {
  if (waitMs === undefined) return;
  throw new HttpError(429, 'rate_limited', `try again in ${waitMs} ms`, Math.ceil(waitMs / 1_000));
}
