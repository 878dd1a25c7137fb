import type { Grant } from '../rooms/methods.ts';
import type { Identity } from './identity.ts';

/**
 * What a token's `rooms` allow: an entry is `hub/room`, or ends in `*` for all that begin so. The first entry that
 * fits decides; a token without `rooms` may use every room.
 *
 * @returns undefined: no
 */
export function grantByClaims({ rooms }: Identity, hub: string, room: string): Grant | undefined {
  if (!rooms) return {};
  const name = `${hub}/${room}`;
  const claim = rooms.find((each) => covers(each.room, name));
  return claim && { visibleFrom: claim.from ?? 1 };
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
