import type { Identity } from './identity.ts';

/** What a token's claim grants of a room. */
export interface RoomGrant {
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
