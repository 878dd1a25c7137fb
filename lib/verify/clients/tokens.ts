import { randomBytes } from 'node:crypto';
import { paths } from '../../../app/names.ts';
import { sendWithinLimits } from '../target/request.ts';
import { type Claims, claimsOf, mint } from './jwt.ts';

/** The tokens that a run's clients send in their handshakes. */
export interface Tokens {
  /** `none`: the service needs none. `one`: the one that was given, so all clients are one user. */
  readonly kind: 'none' | 'one' | 'guests' | 'minted';
  /**
   * The token of a user, 0 for the first one. The same number is the same user.
   * @throws Error if there is no token
   */
  of(user: number): Promise<string | undefined>;
  /** The number of the next user. Users alternate; it is 0 only if there are no others. */
  nextUser(): number;
  /** Makes a token with these claims. Absent if there is no key to sign with. */
  readonly mint?: (claims: Claims) => string;
}

export const noTokens: Tokens = { kind: 'none', of: async () => undefined, nextUser: () => 0 };

export function oneToken(token: string): Tokens {
  return { kind: 'one', of: async () => token, nextUser: () => 0 };
}

/** A token must not expire in the middle of a check. */
const leastSeconds = 60;

/** The service gives one address a limited number of tokens. Beyond these, clients share users. */
const mostGuests = 20;

/** Guests' tokens from `/api/session`: one request for each, and another one when it expires. */
export function guestTokens(url: string, first: string): Tokens {
  const given = new Map<number, Promise<string>>([[0, Promise.resolve(first)]]);
  let next = 0;
  return {
    kind: 'guests',
    nextUser: () => 1 + (next++ % (mostGuests - 1)),
    of: async (user) => {
      const known = await given.get(user);
      if (known !== undefined && !endsSoon(known)) return known;
      const asked = guestToken(url);
      given.set(user, asked);
      asked.catch(() => given.delete(user));
      return asked;
    },
  };
}

function endsSoon(token: string): boolean {
  const { exp } = claimsOf(token) ?? {};
  return exp !== undefined && exp - leastSeconds < Date.now() / 1_000;
}

/** @throws Error with the response if the service allows no guests, or not now */
export async function guestToken(url: string): Promise<string> {
  const { status, body } = await sendWithinLimits(paths.session, url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const token = status === 200 || status === 201 ? tokenIn(body) : undefined;
  if (token !== undefined) return token;
  throw new Error(`POST ${paths.session}: HTTP ${status} ${body.slice(0, 120)}`.trim());
}

function tokenIn(body: string): string | undefined {
  try {
    const { token } = JSON.parse(body) as { token?: unknown };
    return typeof token === 'string' ? token : undefined;
  } catch {
    return undefined;
  }
}

export interface Key {
  /** The service's own `AUTH_SECRET`. */
  readonly secret: string;
  /** The claims that the service requires. @default nothing */
  readonly issuer?: string;
  readonly audience?: string;
  /** The claim that it takes a user's name from. @default `sub` */
  readonly subjectClaim?: string;
}

/** Long enough for a run, in seconds, and useless soon after. */
const validSeconds = 300;

/** Tokens that this run signs itself, one user for each number. */
export function mintedTokens({ secret, issuer, audience, subjectClaim }: Key): Tokens {
  const run = randomBytes(4).toString('hex');
  const sign = (claims: Claims) =>
    mint(
      {
        exp: Math.floor(Date.now() / 1_000) + validSeconds,
        ...(issuer === undefined ? {} : { iss: issuer }),
        ...(audience === undefined ? {} : { aud: audience }),
        ...claims,
        ...(subjectClaim === undefined ? {} : { [subjectClaim]: claims.sub }),
      },
      secret,
    );
  let next = 0;
  return {
    kind: 'minted',
    nextUser: () => ++next,
    of: async (user) => sign({ sub: `verify-${run}-${user}` }),
    mint: sign,
  };
}
