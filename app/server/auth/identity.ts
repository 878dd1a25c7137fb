import { createHash } from 'node:crypto';

/** Who a connection is, as its token says. */
export interface Identity {
  /** The token's `sub`: stands in `from`, in presence, in limits and bans. */
  readonly subject: string;
  /** What to show in its place. */
  readonly name?: string;
  /** It came by `/api/session`. */
  readonly guest: boolean;
  /** Rooms that it may use. @default all that its hubs allow */
  readonly rooms?: readonly RoomClaim[];
  /** Milliseconds since 1970 at which the token ends. @default never, which only an unauthenticated one may */
  readonly expiresAt?: number;
  /** Of the token's `jti`: what a revocation names. */
  readonly tokenHash?: string;
}

/** One entry of a token's `rooms`: `chat/lobby`, or `chat/team-*` for all that begin so. */
export interface RoomClaim {
  readonly room: string;
  /** The earliest offset of the room's log that may be seen. @default 1 */
  readonly from?: number;
  /** The epoch that `from` counts in: in a room that began anew since, nothing is hidden. @default none is named */
  readonly epoch?: string;
}

/** Names a token without saying its id: in Redis, and to those who are in a call with its holder. */
export function hashOfToken(tokenId: string): string {
  return createHash('sha256').update(tokenId).digest('base64url').slice(0, 22);
}

export function hasExpired({ expiresAt }: Identity, now = Date.now()): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** What a token's claim grants of a room. */
interface RoomGrant {
  /** The earliest offset of the room's log that may be seen. */
  readonly visibleFrom?: number;
  /** The epoch that it counts in. @default none is named */
  readonly epoch?: string;
}

/**
 * What a token's `rooms` allow: an entry is `hub/room`, or ends in `*` for all that begin so. The first entry that
 * fits decides; a token without `rooms` may use every room.
 *
 * @returns undefined: no
 */
export function grantByClaims({ rooms }: Identity, hub: string, room: string): RoomGrant | undefined {
  if (!rooms) return {};
  const name = `${hub}/${room}`;
  const claim = rooms.find((each) => covers(each.room, name));
  if (!claim) return undefined;
  const { from: visibleFrom = 1, epoch } = claim;
  return { visibleFrom, ...(epoch === undefined ? {} : { epoch }) };
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Milliseconds from one look to the next: a token is used so much longer than it says. */
const lookEveryMs = 10_000;

/** A client that was let in by a token. */
interface TokenBearer {
  readonly identity: Identity;
  /** Closes its connection; its client comes back by itself and is asked for a token anew. */
  reconnect(): void;
}

/**
 * Makes clients whose token has ended come back with another one: who has one goes on without having missed anything.
 *
 * @param clients asked at each look
 * @returns ends it
 */
export function reconnectExpired(clients: () => Iterable<TokenBearer>, everyMs = lookEveryMs): () => void {
  const timer = setInterval(() => {
    const now = Date.now();
    for (const client of clients()) if (hasExpired(client.identity, now)) client.reconnect();
  }, everyMs).unref();
  return () => clearInterval(timer);
}
