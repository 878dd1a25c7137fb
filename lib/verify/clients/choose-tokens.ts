import { CannotVerifyError } from '../errors.ts';
import type { Service } from '../target/identify.ts';
import type { Patience } from '../wait.ts';
import { duration, list } from '../wording.ts';
import { Clients } from './clients.ts';
import { allowsRoom, claimsOf } from './jwt.ts';
import {
  guestToken,
  guestTokens,
  type Key,
  mintedTokens,
  noTokens,
  oneToken,
  type Tokens,
} from './tokens.ts';

export interface TokenSources {
  /** The token that was given. */
  readonly token?: string | undefined;
  /** The key with which tokens may be signed. */
  readonly key?: Key | undefined;
}

/** Longest wait for a handshake, in milliseconds. If there is no answer at all, the checks report it. */
const longestHandshakeMs = 5_000;
/** Enough handshakes to meet two instances that differ. */
const handshakes = 4;

/**
 * Chooses the tokens of a run: none if the service needs none, else the token that was given, else tokens signed with
 * the service's key, else guests' tokens.
 *
 * @throws CannotVerifyError if the service needs a token and there is none, or it rejects the one there is
 */
export async function chooseTokens(
  url: string,
  { greeting }: Pick<Service, 'greeting'>,
  sources: TokenSources,
  { timeoutMs, signal }: Patience,
): Promise<Tokens> {
  if (greeting.outcome === 'accepted') return noTokens;
  const isNeeded = greeting.code === 'missing';
  const tokens = await choose(url, sources, isNeeded);
  if (!isNeeded) return tokens;
  let rejection: Rejection | undefined;
  for (let left = handshakes; left > 0; left -= 1) {
    const patience = { timeoutMs: Math.min(timeoutMs, longestHandshakeMs), signal };
    rejection = await tryHandshake(url, tokens, patience);
    // If one instance accepts what another rejects, the checks find it.
    if (!rejection || !isOfToken(rejection.code)) return tokens;
  }
  throw new CannotVerifyError('token', describeRejection(url, tokens, rejection?.words ?? ''));
}

interface Rejection {
  /** Absent if it was not the service that rejected it. */
  readonly code: string | undefined;
  readonly words: string;
}

/** Undefined: the service accepts a client with these. */
async function tryHandshake(url: string, tokens: Tokens, patience: Patience): Promise<Rejection | undefined> {
  const clients = new Clients({ url, timeoutMs: patience.timeoutMs, tokens });
  try {
    const client = clients.open('plain');
    if (await client.untilReady(patience)) return undefined;
    return { code: client.rejection, words: client.fault ?? 'no response' };
  } finally {
    clients.closeAll();
  }
}

async function choose(url: string, { token, key }: TokenSources, isNeeded: boolean): Promise<Tokens> {
  if (token !== undefined) return oneToken(usable(token));
  if (key) return mintedTokens(key);
  if (!isNeeded) return noTokens;
  try {
    return guestTokens(url, await guestToken(url));
  } catch (error) {
    throw new CannotVerifyError(
      'token',
      `${url} wants a token and lets no guests in (${(error as Error).message}): give --token, a JWT that it accepts.`,
    );
  }
}

/** @throws CannotVerifyError if it has expired, or gives access to none of the rooms that the checks use */
function usable(token: string): string {
  const { exp, ...claims } = claimsOf(token) ?? {};
  const secondsLeft = (exp ?? Number.POSITIVE_INFINITY) - Date.now() / 1_000;
  if (secondsLeft <= 0) {
    throw new CannotVerifyError(
      'token',
      `The token ended ${duration(-secondsLeft * 1_000)} ago. Give another --token; if it has just been made, compare the clock of this machine.`,
    );
  }
  if (allowsRoom(claims, 'chat', 'verify-0')) return token;
  const rooms = (claims.rooms ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.room));
  throw new CannotVerifyError(
    'token',
    `The token opens ${list(rooms.slice(0, 5)) || 'no room'} alone, and the checks use rooms verify-*: give one for chat/verify-*.`,
  );
}

function isOfToken(code: string | undefined): boolean {
  return code !== undefined && ['missing', 'invalid', 'expired', 'revoked'].includes(code);
}

function describeRejection(url: string, { kind }: Tokens, words: string): string {
  if (kind === 'minted') {
    return `${url} rejects tokens signed with AUTH_SECRET: ${words}. Set it to the service's own (with AUTH_ISSUER, AUTH_AUDIENCE and AUTH_SUBJECT_CLAIM where it has them), or unset it.`;
  }
  if (kind === 'guests') return `${url} gives guests a token and rejects it: ${words}. Give --token.`;
  return `${url} rejects the token: ${words}. Give another --token.`;
}
