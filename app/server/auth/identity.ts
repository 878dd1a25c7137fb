import type { Socket } from 'socket.io';

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
  /** The token's `jti`: what a revocation names. */
  readonly tokenId?: string;
}

/** One entry of a token's `rooms`: `chat/lobby`, or `chat/team-*` for all that begin so. */
export interface RoomClaim {
  readonly room: string;
  /** The earliest offset of the room's log that may be seen. @default 1 */
  readonly from?: number;
}

/** The identity that the handshake gave this socket. */
export function identityOf(socket: Socket): Identity {
  return (socket.data as { identity: Identity }).identity;
}

export function subjectOf(socket: Socket): string {
  return identityOf(socket).subject;
}

export function hasExpired({ expiresAt }: Identity, now = Date.now()): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}
