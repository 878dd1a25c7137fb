import type { Logger } from 'pino';
import type { Server, Socket } from 'socket.io';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Admit } from '../auth/handshake.ts';
import type { Presence } from '../presence/presence.ts';
import type { Whisper } from '../presence/store.ts';
import type { Backplane } from '../redis/backplane.ts';
import type { RoomCounters } from '../rooms/counters.ts';
import type { Charge } from '../rooms/methods.ts';
import type { RoomStore } from '../rooms/store.ts';

/** What all hubs of a service share. */
export interface HubContext {
  readonly io: Server;
  readonly store: RoomStore;
  readonly backplane: Backplane;
  readonly instance: string;
  readonly log: Logger;
  /** Undefined: nobody is authenticated. */
  readonly authenticate: Authenticator | undefined;
  readonly admit: Admit;
  /** A hub did not take a client. @default nobody counts */
  readonly onRefused?: (hub: string, code: string) => void;
  /** Who is in a hub's rooms. @default the hub has no presence */
  readonly presenceOf?: (hub: string, whisper: Whisper) => Presence;
  /** Where a hub's rooms count what happens. @default it is not looked at */
  readonly countersOf?: (hub: string) => RoomCounters;
  /** The client's address, for the log. @default the connection's own, which behind a proxy is the proxy's */
  readonly addressOf?: (socket: Socket) => string;
  /** @default nothing is limited */
  readonly charge?: Charge;
  /** Is this subject out of that room for a time? @default nobody is */
  readonly isBanned?: (ban: { hub: string; room: string; subject: string }) => boolean;
}
