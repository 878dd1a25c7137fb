import { hasExpired, identityOf } from '../auth/identity.ts';
import { grantByClaims } from '../auth/room-claims.ts';
import type { Authorize, Grant } from '../rooms/methods.ts';
import type { HubContext } from './context.ts';
import type { HubDefinition } from './define.ts';

/** Bans and the token first, then the hub: each can only say no. */
export function authorizeBy(
  { name, authorize, publishers = 'clients' }: HubDefinition,
  isBanned: HubContext['isBanned'] = () => false,
): Authorize {
  return (socket, action, room) => {
    const identity = identityOf(socket);
    if (hasExpired(identity)) return undefined;
    if (isBanned({ hub: name, room, subject: identity.subject })) return undefined;
    if (action === 'publish' && publishers === 'backends') return undefined;
    const granted = grantByClaims(identity, name, room);
    if (!granted || !authorize) return granted;
    const said = authorize(identity, action, room);
    return said instanceof Promise ? said.then((grant) => stricter(granted, grant)) : stricter(granted, said);
  };
}

function stricter(one: Grant, other: Grant | undefined): Grant | undefined {
  return other && { visibleFrom: Math.max(one.visibleFrom ?? 1, other.visibleFrom ?? 1) };
}
