import { grantByClaims, hasExpired } from '../auth/identity.ts';
import type { Authorize, Grant } from '../rooms/membership/authorize.ts';
import { RpcError } from '../rooms/rpc.ts';
import type { HubContext } from './context.ts';
import type { HubDefinition } from './define.ts';
import type { HubMember } from './member.ts';

/**
 * Bans and the token first, then the hub: each can only say no.
 *
 * A token that has ended is no refusal, which would be for good. The client is asked to come back with another one, and
 * stays a member until it does: `reconnectExpired` bounds for how long.
 */
export function authorizeBy(
  { name, authorize, publishers = 'clients' }: HubDefinition,
  isBanned: HubContext['isBanned'] = () => false,
): Authorize<HubMember> {
  return ({ identity }, action, room) => {
    if (isBanned({ hub: name, room, subject: identity.subject })) return undefined;
    if (hasExpired(identity)) throw new RpcError('expired', 'the token has expired: connect with a new one');
    if (action === 'publish' && publishers === 'backends') return undefined;
    const granted = grantByClaims(identity, name, room);
    if (!granted || !authorize) return granted;
    const said = authorize(identity, action, room);
    // Not by its class: queries of databases are no promises of the language, and any object would pass for a grant.
    return said && 'then' in said ? said.then((grant) => stricter(granted, grant)) : stricter(granted, said);
  };
}

function stricter(one: Grant, other: Grant | undefined): Grant | undefined {
  if (!other) return undefined;
  // Each may name an epoch of its own, and what that is worth the room's log knows.
  return one.visibleFrom === undefined || one.visibleFrom === 1 ? other : { ...one, and: other };
}
