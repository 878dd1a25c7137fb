import { UsageError } from './arguments.ts';
import { Clients } from './clients.ts';
import { allowsRoom, claimsOf } from './mint.ts';
import {
  askForGuest,
  guestTokens,
  type Key,
  mintedTokens,
  noTokens,
  oneToken,
  type Tokens,
} from './tokens.ts';
import { list } from './words.ts';

export interface TokenSources {
  /** The one that was given. */
  readonly token?: string | undefined;
  /** What others may be signed with. */
  readonly key?: Key | undefined;
}

/** Longest look whether a token is asked for; what does not answer at all is for the checks, in milliseconds. */
const longestLookMs = 5_000;
/** Enough to meet two instances that differ. */
const looks = 4;

/**
 * What the clients of a run show: nothing where the service asks for nothing, else the token that was given, else
 * tokens signed with the service's key, else guests' tokens.
 *
 * @throws UsageError when a token is asked for and there is none, or the one there is is refused
 */
export async function findTokens(
  url: string,
  sources: TokenSources,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Tokens> {
  const look = (tokens: Tokens) => lookWith(url, tokens, Math.min(timeoutMs, longestLookMs), signal);
  const without = await look(noTokens);
  if (without === undefined) return noTokens;
  const tokens = await choose(url, sources, without.code === 'missing');
  if (without.code !== 'missing') return tokens;
  let refused: Refusal | undefined;
  for (let left = looks; left > 0; left -= 1) {
    refused = await look(tokens);
    // What one instance takes and another does not is for the checks to tell.
    if (!refused || !isOfToken(refused.code)) return tokens;
  }
  throw new UsageError(refusal(url, tokens, refused?.words ?? ''));
}

interface Refusal {
  /** Absent: it was not the service that refused. */
  readonly code: string | undefined;
  readonly words: string;
}

/** Undefined: the service takes a client with these. */
async function lookWith(
  url: string,
  tokens: Tokens,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const clients = new Clients(url, timeoutMs, tokens);
  try {
    const client = clients.open('plain');
    if (await client.ready({ timeoutMs, signal })) return undefined;
    return { code: client.refusal, words: client.fault ?? 'no answer' };
  } finally {
    clients.closeAll();
  }
}

async function choose(url: string, { token, key }: TokenSources, isNeeded: boolean): Promise<Tokens> {
  if (token !== undefined) return oneToken(usable(token));
  if (key) return mintedTokens(key);
  if (!isNeeded) return noTokens;
  const guest = await askForGuest(url).catch((error: Error) => ({ token: undefined, words: error.message }));
  if (guest.token !== undefined) return guestTokens(url, guest.token);
  throw new UsageError(
    `${url} wants a token and lets no guests in (${guest.words}): give --token, a JWT that it takes.`,
  );
}

/** @throws UsageError when it opens none of the rooms that the checks use */
function usable(token: string): string {
  const claims = claimsOf(token);
  if (!claims || allowsRoom(claims, 'chat', 'verify-0')) return token;
  const rooms = (claims.rooms ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.room));
  throw new UsageError(
    `The token opens ${list(rooms.slice(0, 5)) || 'no room'} alone, and the checks use rooms verify-*: give one for chat/verify-*.`,
  );
}

function isOfToken(code: string | undefined): boolean {
  return code !== undefined && ['missing', 'invalid', 'expired', 'revoked'].includes(code);
}

function refusal(url: string, { kind }: Tokens, words: string): string {
  if (kind === 'minted') {
    return `${url} refuses tokens signed with AUTH_SECRET: ${words}. Set it to the service's own (with AUTH_ISSUER and AUTH_AUDIENCE where it has them), or unset it.`;
  }
  if (kind === 'guests') return `${url} gives guests a token and refuses it: ${words}. Give --token.`;
  return `${url} refuses the token: ${words}. Give another --token.`;
}
