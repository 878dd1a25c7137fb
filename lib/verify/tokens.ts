import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../app/names.ts';
import { ask } from './ask.ts';
import { type Claims, claimsOf, mint } from './mint.ts';

/** What a run's clients show in their handshakes. */
export interface Tokens {
  /** `none`: the service asks for none. `one`: the one given, so that all clients are one user. */
  readonly kind: 'none' | 'one' | 'guests' | 'minted';
  /**
   * The token of a user, 0 for the first one; the same number is the same user.
   * @throws Error when there is none to be had
   */
  of(user: number): Promise<string | undefined>;
  /** Users take turns; never 0 where there are others. */
  nextUser(): number;
  /** A token that says what is asked for; absent where there is no key to sign with. */
  readonly mint?: (claims: Claims) => string;
}

export const noTokens: Tokens = { kind: 'none', of: async () => undefined, nextUser: () => 0 };

export function oneToken(token: string): Tokens {
  return { kind: 'one', of: async () => token, nextUser: () => 0 };
}

/** A token ends in the middle of no check. */
const leastSeconds = 60;

/** The service gives one address a bounded number of tokens: beyond these, clients share a user. */
const mostGuests = 20;
const tries = 4;
const betweenTriesMs = 1_000;

/** Guests of `/api/session`: asked for once each, and anew when they end. */
export function guestTokens(url: string, first: string): Tokens {
  const given = new Map<number, Promise<string>>([[0, Promise.resolve(first)]]);
  let turn = 0;
  return {
    kind: 'guests',
    nextUser: () => 1 + (turn++ % (mostGuests - 1)),
    of: async (user) => {
      const known = await given.get(user);
      if (known !== undefined && !endsSoon(known)) return known;
      const asked = insistOnGuest(url);
      given.set(user, asked);
      asked.catch(() => given.delete(user));
      return asked;
    },
  };
}

/** @throws Error when there is none to be had */
async function insistOnGuest(url: string): Promise<string> {
  for (let left = tries; ; left -= 1) {
    const { token, status, words } = await askForGuest(url);
    if (token !== undefined) return token;
    if (status !== 429 || left === 1) throw new Error(words);
    await delay(betweenTriesMs);
  }
}

function endsSoon(token: string): boolean {
  const { exp } = claimsOf(token) ?? {};
  return exp !== undefined && exp - leastSeconds < Date.now() / 1_000;
}

export interface Guest {
  /** Absent: the service lets no guests in, or not now. */
  readonly token?: string;
  readonly status: number;
  /** What it said. */
  readonly words: string;
}

export async function askForGuest(url: string): Promise<Guest> {
  const question = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' } as const;
  const { status, body } = await ask(paths.session, url, question);
  const words = `POST ${paths.session}: HTTP ${status} ${body.slice(0, 120)}`.trim();
  const token = status === 200 || status === 201 ? tokenIn(body) : undefined;
  return { status, words, ...(token === undefined ? {} : { token }) };
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
  /** What the service demands of tokens. @default nothing */
  readonly issuer?: string;
  readonly audience?: string;
}

/** Long enough for a run, in seconds, and of no use soon after. */
const validSeconds = 300;

/** Tokens that this run signs itself, one user a number. */
export function mintedTokens({ secret, issuer, audience }: Key): Tokens {
  const run = randomBytes(4).toString('hex');
  const sign = (claims: Claims) =>
    mint(
      {
        exp: Math.floor(Date.now() / 1_000) + validSeconds,
        ...(issuer === undefined ? {} : { iss: issuer }),
        ...(audience === undefined ? {} : { aud: audience }),
        ...claims,
      },
      secret,
    );
  let turn = 0;
  return {
    kind: 'minted',
    nextUser: () => ++turn,
    of: async (user) => sign({ sub: `verify-${run}-${user}` }),
    mint: sign,
  };
}
