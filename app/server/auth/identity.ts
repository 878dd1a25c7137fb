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
