import type { Logger } from 'pino';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { type BanningRooms, Bans } from './bans.ts';
import { MemoryDenyList } from './deny-list.ts';
import { RedisDenyList } from './redis-deny-list.ts';
import { type RevocableClient, Revocations } from './revocations.ts';

export interface DenialsOptions {
  /** Redis; absent in single-instance mode. */
  readonly links: BackplaneLinks | undefined;
  readonly deployment: string;
  /** Clients are let in before Redis was reached, when nobody knows who is denied. */
  readonly servesAlone: boolean;
  readonly log: Logger;
  /** The hubs of this instance, asked each time. */
  readonly hubs: () => Iterable<{
    readonly name: string;
    readonly members: ReadonlyMap<string, RevocableClient>;
    readonly rooms: BanningRooms;
  }>;
}

export interface Denials {
  readonly revocations: Revocations;
  readonly bans: Bans;
  /** False while the list was never read: nobody can be let in. */
  isKnown(): boolean;
  close(): void;
}

/** Who may not be here, or not in that room, for a time. */
export function openDenials({ links, deployment, servesAlone, log, hubs }: DenialsOptions): Denials {
  const list = links ? new RedisDenyList({ links, deployment, servesAlone, log }) : new MemoryDenyList();
  return {
    revocations: new Revocations(list, () => [...hubs()].flatMap(({ members }) => [...members.values()])),
    bans: new Bans(list, () => new Map([...hubs()].map(({ name, rooms }) => [name, rooms]))),
    isKnown: () => list.isKnown,
    close: () => list.close(),
  };
}
