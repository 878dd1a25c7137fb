import { z } from 'zod';
import { answerFrom } from '../../protocol/answers.ts';
import { callSender } from '../../protocol/calls.ts';
import { AuthenticationError } from './errors.ts';
import type { Identity } from './identity.ts';

const longestSubject = 128;
const longestName = 64;
const mostRooms = 100;

const text = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}]+$/u, 'must hold no control characters');

/** What stands in `from` where no user speaks: a user of that name could pass for it. */
const reservedSubjects: readonly string[] = ['server', answerFrom, callSender];

const roomClaim = z.union([
  text(256).transform((room) => ({ room })),
  z.object({ room: text(256), from: z.int().min(1) }),
]);

/** What a token must say, and may say; other claims are not looked at. */
const claims = z.object({
  sub: text(longestSubject).refine((sub) => !reservedSubjects.includes(sub), 'is reserved'),
  exp: z.number(),
  nbf: z.number().optional(),
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  jti: z.string().min(1).max(128).optional(),
  name: text(longestName).optional(),
  guest: z.boolean().optional(),
  rooms: z.array(roomClaim).max(mostRooms).optional(),
});

export interface ClaimRules {
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/** Clocks differ: a token from another machine may seem to begin in the future, in seconds. */
const clockToleranceSeconds = 5;

/**
 * Reads the claims of a token whose signature holds.
 * @throws AuthenticationError that says which claim is at fault
 */
export function readClaims(payload: unknown, { issuer, audience }: ClaimRules): Identity {
  const parsed = claims.safeParse(payload);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'token'}: ${message}`);
    throw new AuthenticationError('invalid', `the token's claims can't be used: ${faults.join('; ')}`);
  }
  const { sub, exp, nbf, iss, aud, jti, name, guest = false, rooms } = parsed.data;
  const now = Date.now() / 1000;
  if (exp <= now) throw new AuthenticationError('expired', 'the token has expired: get a new one');
  if (nbf !== undefined && nbf > now + clockToleranceSeconds) {
    throw new AuthenticationError('invalid', 'the token is not valid yet');
  }
  if (issuer !== undefined && iss !== issuer) {
    throw new AuthenticationError('invalid', 'the token is of another issuer');
  }
  if (audience !== undefined && ![aud].flat().includes(audience)) {
    throw new AuthenticationError('invalid', 'the token is for another audience');
  }
  return {
    subject: sub,
    guest,
    expiresAt: exp * 1000,
    ...(name === undefined ? {} : { name }),
    ...(jti === undefined ? {} : { tokenId: jti }),
    ...(rooms === undefined ? {} : { rooms }),
  };
}
