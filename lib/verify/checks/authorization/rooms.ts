import type { Context, Fault } from '../../check.ts';
import { Clients } from '../../clients/clients.ts';
import { allowsRoom, claimsOf } from '../../clients/jwt.ts';
import type { PlainClient } from '../../clients/plain-client.ts';
import { oneToken, type Tokens } from '../../clients/tokens.ts';
import { type Findings, failed, joined, notProved, proved } from './findings.ts';

/** Checks that a token with `rooms` gives access to no other room. */
export async function probeRooms(context: Context): Promise<Findings> {
  const { target, tokens, timeoutMs } = context;
  const restricted = await restrictedToken(tokens);
  if (restricted === undefined) {
    return notProved(
      tokens.kind === 'none'
        ? 'rooms that a token does not allow: there are no tokens'
        : 'rooms that a token does not allow: none here names its rooms, and there is no key to sign one (AUTH_SECRET)',
    );
  }
  const clients = new Clients({ url: target.url, timeoutMs, tokens: oneToken(restricted.token) });
  try {
    const client = clients.open('plain');
    if (!(await client.untilReady(context)))
      return notProved(`rooms that a token does not allow: ${client.fault}`);
    return await probeBoth(client, restricted);
  } finally {
    clients.closeAll();
  }
}

interface Restricted {
  readonly token: string;
  readonly allowed: string;
  readonly forbidden: string;
}

async function restrictedToken({ kind, mint, of }: Tokens): Promise<Restricted | undefined> {
  const room = `verify-${Date.now().toString(36)}`;
  const [allowed, forbidden] = [`${room}-allowed`, `${room}-forbidden`];
  if (mint) {
    const token = mint({ sub: 'verify-restricted', rooms: [`chat/${allowed}`] });
    return { token, allowed, forbidden };
  }
  const given = kind === 'one' ? await of(0) : undefined;
  const claims = given === undefined ? undefined : claimsOf(given);
  // Only rooms of the checks are touched, so a token for all of `verify-*` shows nothing here.
  if (given === undefined || !claims?.rooms || allowsRoom(claims, 'chat', forbidden)) return undefined;
  return { token: given, allowed, forbidden };
}

async function probeBoth(client: PlainClient, { allowed, forbidden }: Restricted): Promise<Findings> {
  const join = await rejectionOf(client.join({ room: forbidden }));
  const publish = await rejectionOf(client.publish(forbidden, 'verify', {}));
  const mayJoin = await rejectionOf(client.join({ room: allowed }));
  const allowedWrongly = [join === undefined && 'join', publish === undefined && 'publish to'].filter(
    (word) => word !== false,
  );
  return joined([
    ...(allowedWrongly.length > 0
      ? [
          failed({
            found: `a token for chat/${allowed} may ${allowedWrongly.join(' and ')} chat/${forbidden}`,
            ...unlooked,
          }),
        ]
      : [proved('a room that the token does not name rejects join and publish')]),
    ...(mayJoin === undefined
      ? []
      : [failed({ found: `chat/${allowed} rejects a token for it: ${mayJoin}`, ...tooStrict })]),
  ]);
}

/** Undefined if it was allowed. */
export async function rejectionOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const unlooked: Omit<Fault, 'found'> = {
  cause: "the hub does not look at the token's `rooms`",
  fix: 'let its `authorize` ask `grantByClaims`, for join and for publish',
};

const tooStrict: Omit<Fault, 'found'> = {
  cause: "the hub's own `authorize` rejects rooms verify-*, or it reads `rooms` in another shape",
  fix: 'let it allow rooms verify-*, which nothing else uses; entries are `hub/room`, or end in `*`',
};
