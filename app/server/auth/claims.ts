import { z } from 'zod';
import { answerFrom } from '../../protocol/answers.ts';
import { callSender } from '../../protocol/calls.ts';
import { name as text } from '../../protocol/schemas.ts';
import { isName, longestId, longestSubject } from '../../protocol/text.ts';
import { AuthenticationError } from './errors.ts';
import { hashOfToken, type Identity } from './identity.ts';

const longestName = 64;
const longestTokenId = 128;
/** Of a hub and a room, or how all of them begin. */
const longestPattern = 256;
const mostRooms = 100;

/** What stands in `from` where no user speaks: a user of that name could pass for it. */
const reservedSubjects: readonly string[] = ['server', answerFrom, callSender];

const roomClaim = z.union([
  text(longestPattern).transform((room) => ({ room })),
  z.object({ room: text(longestPattern), from: z.int().min(1), epoch: text(longestId).optional() }),
]);

/** What a token must say, and may say; other claims are not looked at. */
const claims = z.object({
  sub: text(longestSubject).refine((sub) => !reservedSubjects.includes(sub), 'is reserved'),
  exp: z.number(),
  nbf: z.number().optional(),
  iss: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  jti: text(longestTokenId).optional(),
  name: text(longestName).optional(),
  guest: z.boolean().optional(),
  rooms: z.array(roomClaim).max(mostRooms).optional(),
});

type Claims = z.infer<typeof claims>;

/**
 * What most tokens say is looked at by hand, for a tenth of what the schema takes. This says yes to nothing that the
 * schema refuses; what it does not say yes to the schema is asked about, which says what is wrong.
 */
function plainClaims(payload: unknown): Claims | undefined {
  if (!isObject(payload)) return undefined;
  const { sub, exp, jti, name, guest, nbf, iss, aud, rooms } = payload as Readonly<Record<string, unknown>>;
  if (nbf !== undefined || iss !== undefined || aud !== undefined || rooms !== undefined) return undefined;
  if (!isName(sub, longestSubject) || reservedSubjects.includes(sub)) return undefined;
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return undefined;
  if (jti !== undefined && !isName(jti, longestTokenId)) return undefined;
  if (name !== undefined && !isName(name, longestName)) return undefined;
  if (guest !== undefined && typeof guest !== 'boolean') return undefined;
  return { sub, exp, jti, name, guest };
}

export interface ClaimRules {
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  /** The claim that says who the user is; `a.b` is `b` inside `a` where no claim has that very name. @default `sub` */
  readonly subjectClaim?: string | undefined;
  /** The claim that says what to show. @default `name` */
  readonly nameClaim?: string | undefined;
}

/** Clocks differ: a token from another machine may seem to begin in the future, in seconds. */
export const clockToleranceSeconds = 5;

/**
 * Reads the claims of a token whose signature holds.
 * @throws AuthenticationError that says which claim is at fault
 */
export function readClaims(payload: unknown, rules: ClaimRules): Identity {
  const { issuer, audience, subjectClaim = 'sub', nameClaim = 'name' } = rules;
  const own = withOwnNames(payload, subjectClaim, nameClaim);
  const said = plainClaims(own) ?? parseClaims(own, { sub: subjectClaim, name: nameClaim });
  const { sub, exp, nbf, iss, aud, jti, name, guest = false, rooms } = said;
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
    ...(jti === undefined ? {} : { tokenHash: hashOfToken(jti) }),
    ...(rooms === undefined ? {} : { rooms }),
  };
}

/** @param names that the token has for ours  @throws AuthenticationError */
function parseClaims(payload: unknown, names: Readonly<Record<string, string>>): Claims {
  const parsed = claims.safeParse(payload);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path: [first = 'token', ...deeper], message }) => {
    const claim = [names[String(first)] ?? first, ...deeper].join('.');
    return `${claim}: ${message}`;
  });
  throw new AuthenticationError('invalid', `the token's claims can't be used: ${faults.join('; ')}`);
}

/** The token with its subject and its name where ours have them. */
function withOwnNames(payload: unknown, subjectClaim: string, nameClaim: string): unknown {
  if (!isObject(payload)) return payload;
  if (subjectClaim === 'sub' && nameClaim === 'name') return payload;
  return { ...payload, sub: claimIn(payload, subjectClaim), name: claimIn(payload, nameClaim) };
}

/** A name with dots can be one claim's, as the URIs of ASP.NET are, or lead into a claim that is an object. */
function claimIn(payload: object, name: string): unknown {
  if (Object.hasOwn(payload, name)) return (payload as Record<string, unknown>)[name];
  return name
    .split('.')
    .reduce<unknown>(
      (found, key) =>
        isObject(found) && Object.hasOwn(found, key) ? (found as Record<string, unknown>)[key] : undefined,
      payload,
    );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
