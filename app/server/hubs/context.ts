import type { Logger } from 'pino';
import type { Presence } from '../presence/presence.ts';
import type { BroadcastEvent } from '../presence/store.ts';
import type { Backplane } from '../redis/backplane.ts';
import type { RoomCounters } from '../rooms/counters.ts';
import type { MemberRates } from '../rooms/membership/member-rates.ts';
import type { RoomStore } from '../rooms/store/store.ts';
import type { HubMember } from './member.ts';

/** What all hubs of a service share. */
export interface HubContext {
  readonly store: RoomStore;
  readonly backplane: Backplane;
  readonly instance: string;
  /** Names what its instances share in Redis. @default 'realtime' */
  readonly deployment?: string;
  readonly log: Logger;
  /** A hub did not take a client. @default nobody counts */
  readonly onRefused?: (hub: string, code: string) => void;
  /** Who is in a hub's rooms. @default the hub has no presence */
  readonly presenceOf?: (hub: string, broadcast: BroadcastEvent) => Presence;
  /** Where a hub's rooms count what happens. @default it is not looked at */
  readonly countersOf?: (hub: string) => RoomCounters;
  /** @default nothing is limited */
  readonly ratesOf?: (hub: string) => MemberRates<HubMember>;
  /** Is this subject out of that room for a time? @default nobody is */
  readonly isBanned?: (ban: { hub: string; room: string; subject: string }) => boolean;
}
