import type { HubRooms } from '../rooms/hub-rooms.ts';
import type { Authorize } from '../rooms/membership/authorize.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import { createHandler, type Handler, type OnFault } from '../rooms/rpc.ts';
import type { HubCall, HubDefinition } from './define.ts';
import type { HubMember } from './member.ts';

export interface MethodsOptions {
  readonly rooms: HubRooms<HubMember>;
  readonly authorize: Authorize<HubMember>;
  readonly onFault: OnFault<HubMember>;
  readonly rates: MemberRates<HubMember> | undefined;
}

/** What a hub defines beside the rooms. */
export function methodHandlers(
  { methods = {}, events = {} }: HubDefinition,
  { rooms, authorize, onFault, rates }: MethodsOptions,
): [name: string, handler: Handler<HubMember>][] {
  const broadcast: HubCall['broadcast'] = (room, event, payload) => {
    const schema = Object.hasOwn(events, event) ? events[event] : undefined;
    if (!schema) throw new Error(`the hub defines no event ${event}`);
    rooms.broadcast(room, event, schema.parse(payload));
  };
  const callOf = (member: HubMember): HubCall => ({
    member,
    identity: member.identity,
    isMember: (room) => rooms.isMember(member, room),
    rates,
    grantOf: async (room) => authorize(member, 'join', room),
    broadcast,
  });
  return Object.entries(methods).map(([name, { schema, run }]) => {
    const method = async (member: HubMember, request: unknown) => {
      rates?.call(member);
      return { ok: true as const, ...(await run(callOf(member), request)) };
    };
    return [name, createHandler({ schema, method, onFault })];
  });
}
