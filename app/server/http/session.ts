import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { paths } from '../../names.ts';
import { namePattern, nameRule } from '../../protocol/text.ts';
import { AuthenticationError } from '../auth/errors.ts';
import { signToken, verifyToken } from '../auth/hmac.ts';
import type { Identity } from '../auth/identity.ts';
import type { AuthSettings } from '../environment.ts';
import { bearerTokenIn } from '../net/bearer-token.ts';
import { clientAddress } from '../net/client-address.ts';
import { checked, HttpError } from './errors.ts';
import { allowCors, type OriginRules } from './origin.ts';

export interface SessionOptions extends OriginRules {
  readonly auth: AuthSettings;
  /** @returns milliseconds after which this address may ask again; undefined: now */
  readonly limit: (address: string) => number | undefined;
  /** @throws AuthenticationError for who is revoked */
  readonly admit: (identity: Identity) => void;
}

/** An hour: a guest who stays is given a new token by the old one. */
const validSeconds = 3_600;
const guestPrefix = 'guest:';

const request = z.object({
  name: z.string().trim().min(1).max(64).regex(namePattern, nameRule).optional(),
});

/**
 * `POST /api/session` with `{name?}` gives a guest a token: `{token, subject, expiresAt}`. With a guest's token as
 * Bearer that has not ended, the subject stays. Served only where guests are let in.
 */
export function serveSession(http: FastifyInstance, options: SessionOptions): void {
  const [secret] = options.auth.secrets;
  if (!options.auth.guests || secret === undefined) return;
  allowCors(http, paths.session, options);
  http.post(paths.session, async (incoming, reply) => {
    const waitMs = options.limit(clientAddress(incoming.raw, options.trustedProxyHops));
    if (waitMs !== undefined) {
      throw new HttpError(429, 'rate_limited', `try again in ${waitMs} ms`, Math.ceil(waitMs / 1_000));
    }
    const before = guestBefore(incoming, options);
    const name = checked(request, incoming.body ?? {}).name ?? before?.name;
    const subject = before?.subject ?? `${guestPrefix}${randomBytes(12).toString('base64url')}`;
    const expiresAt = Math.floor(Date.now() / 1_000) + validSeconds;
    const token = signToken(
      {
        sub: subject,
        exp: expiresAt,
        guest: true,
        jti: randomBytes(12).toString('base64url'),
        ...(name === undefined ? {} : { name }),
        ...claimsAsRuled(options.auth, subject, name),
      },
      secret,
    );
    reply.header('cache-control', 'no-store');
    return { token, subject, expiresAt: expiresAt * 1_000 };
  });
}

/** Where the handshake looks at these, guests' tokens must say them too. */
function claimsAsRuled(auth: AuthSettings, subject: string, name: string | undefined): object {
  const { issuer, audience, subjectClaim, nameClaim, jwksUrl } = auth;
  if (jwksUrl !== undefined) return {};
  return {
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
    ...(subjectClaim === undefined ? {} : { [subjectClaim]: subject }),
    ...(nameClaim === undefined || name === undefined ? {} : { [nameClaim]: name }),
  };
}

/** @throws HttpError 401 when the token given is no guest's that still holds, 503 when that can't be said now */
function guestBefore({ headers }: FastifyRequest, { auth, admit }: SessionOptions): Identity | undefined {
  if (headers.authorization === undefined) return undefined;
  try {
    const token = bearerTokenIn(headers) ?? '';
    const identity = verifyToken(token, auth.secrets, {});
    if (!identity.guest || !identity.subject.startsWith(guestPrefix)) {
      throw new AuthenticationError('invalid', 'this is not the token of a guest');
    }
    admit(identity);
    return identity;
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    throw new HttpError(error.code === 'unavailable' ? 503 : 401, error.code, error.message);
  }
}
