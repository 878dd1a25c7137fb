import type { Context, Fault } from '../check.ts';
import { Clients } from '../clients.ts';
import { allowsRoom, claimsOf } from '../mint.ts';
import type { PlainClient } from '../plain-client.ts';
import { oneToken, type Tokens } from '../tokens.ts';
import { failed, joined, notProved, type Part, proved } from './part.ts';

/** A token that names its rooms opens no other one. */
export async function tryRooms(context: Context, tokens: Tokens): Promise<Part> {
  const restricted = await restrictedToken(tokens);
  if (restricted === undefined) {
    return notProved(
      tokens.kind === 'none'
        ? 'rooms that a token does not allow: there are no tokens'
        : 'rooms that a token does not allow: none here names its rooms, and there is no key to sign one (AUTH_SECRET)',
    );
  }
  const clients = new Clients(context.target.url, context.timeoutMs, oneToken(restricted.token));
  try {
    const client = clients.open('plain');
    if (!(await client.ready(context)))
      return notProved(`rooms that a token does not allow: ${client.fault}`);
    return await tryBoth(client, restricted);
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
  // Other rooms than the checks' own are not touched: a token for all of `verify-*` shows nothing here.
  if (given === undefined || !claims?.rooms || allowsRoom(claims, 'chat', forbidden)) return undefined;
  return { token: given, allowed, forbidden };
}

async function tryBoth(client: PlainClient, { allowed, forbidden }: Restricted): Promise<Part> {
  const join = await refusalOf(client.join({ room: forbidden }));
  const publish = await refusalOf(client.publish(forbidden, 'verify', {}));
  const mayJoin = await refusalOf(client.join({ room: allowed }));
  const taken = [join === undefined && 'join', publish === undefined && 'publish to'].filter(
    (word) => word !== false,
  );
  return joined([
    ...(taken.length > 0
      ? [
          failed({
            found: `a token for chat/${allowed} may ${taken.join(' and ')} chat/${forbidden}`,
            ...unlooked,
          }),
        ]
      : [proved('a room that the token does not name refuses join and publish')]),
    ...(mayJoin === undefined
      ? []
      : [failed({ found: `chat/${allowed} is refused to a token for it: ${mayJoin}`, ...tooStrict })]),
  ]);
}

/** Undefined: it was allowed. */
export async function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
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
  cause: "the hub's own `authorize` refuses rooms verify-*, or it reads `rooms` in another shape",
  fix: 'let it allow rooms verify-*, which nothing else uses; entries are `hub/room`, or end in `*`',
};
