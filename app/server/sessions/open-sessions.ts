import type { Logger } from 'pino';
import type { Namespace } from 'socket.io';
import type { BackplaneLinks } from '../redis/backplane.ts';
import type { AttachedRooms } from '../rooms/attach.ts';
import { Bans } from './bans.ts';
import { LocalRegister } from './local-register.ts';
import { RedisRegister } from './redis-register.ts';
import { Revocations } from './revocations.ts';

export interface SessionsOptions {
  /** Redis; absent in single-instance mode. */
  readonly links: BackplaneLinks | undefined;
  readonly deployment: string;
  readonly log: Logger;
  /** The hubs of this instance, asked each time. */
  readonly hubs: () => Iterable<{ name: string; namespace: Namespace; rooms: Pick<AttachedRooms, 'expel'> }>;
}

export interface Sessions {
  readonly revocations: Revocations;
  readonly bans: Bans;
  close(): void;
}

/** Who may not be here, or not in that room, for a time. */
export function openSessions({ links, deployment, log, hubs }: SessionsOptions): Sessions {
  const redis = links && new RedisRegister({ links, deployment, log });
  const register = redis ?? new LocalRegister();
  return {
    revocations: new Revocations(register, () => [...hubs()].map(({ namespace }) => namespace)),
    bans: new Bans(register, () => new Map([...hubs()].map(({ name, rooms }) => [name, rooms]))),
    close: () => redis?.close(),
  };
}
