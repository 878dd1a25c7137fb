import type { Limits } from '../limits/limits.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import { RpcError } from '../rooms/rpc.ts';
import type { HubMember } from './member.ts';

/** Who is limited: by its user, and by its address. */
type LimitedMember = Pick<HubMember, 'identity' | 'address'>;
type RoomLimits = Omit<Limits, 'ask' | 'handshake' | 'received' | 'session' | 'close'>;

/** Holds what a hub's clients ask of its rooms against their limits. */
export function memberRates(limits: RoomLimits, hub: string): MemberRates<HubMember> {
  // Rooms of one name in two hubs are two.
  const qualified = (room: string) => `/${hub}/${room}`;
  return {
    join: ({ identity, address }) => assertWithinLimit(limits.join(identity, address)),
    joinUnused: ({ identity, address }, room, isUnused) =>
      assertWithinLimit(limits.joinUnused(identity, address, qualified(room), isUnused)),
    leaveUnused: ({ identity, address }, room) => limits.leaveUnused(identity, address, qualified(room)),
    publish: ({ identity, address }, bytes) => assertWithinLimit(limits.publish(identity, address, bytes)),
    call: ({ identity, address }) => assertWithinLimit(limits.call(identity, address)),
    read: ({ identity, address }, bytes) => limits.read(identity, address, bytes),
    newRoom: ({ identity, address }) => ({
      untilMs: limits.untilNewRoom(identity, address),
      made: () => limits.newRoom(identity, address),
    }),
  };
}

/** Counts a prompt to a model. @throws RpcError `rate_limited` */
export function consumeAsk(limits: Pick<Limits, 'ask'>, { identity, address }: LimitedMember): void {
  assertWithinLimit(limits.ask(identity, address));
}

/** @param waitMs undefined: it may go on. @throws RpcError `rate_limited` */
export function assertWithinLimit(waitMs: number | undefined): void {
  if (waitMs !== undefined) throw new RpcError('rate_limited', `try again in ${waitMs} ms`);
}
