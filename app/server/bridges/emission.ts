import type { HubMember } from '../hubs/member.ts';
import type { OpenHub } from '../hubs/open.ts';
import { isEventName } from '../rooms/broadcast.ts';
import { deliverTo } from '../rooms/member.ts';

/** What a program beside the service emits to a hub. */
export interface Emission {
  readonly event: string;
  readonly args: readonly unknown[];
  /** Rooms, or ids of members. @default every connection to the hub */
  readonly rooms?: readonly string[] | undefined;
  /** Rooms, or ids of members, that do not get it. */
  readonly except: readonly string[];
  /** Given what the first client here acknowledges. @default nobody is asked to */
  readonly acknowledge?: ((values: readonly unknown[]) => void) | undefined;
}

/**
 * Where emissions to a namespace go: `emit`, as the program means it, to who is connected, at most once; or `publish`,
 * into the logs of the rooms that it names.
 */
export type BridgeMode = 'emit' | 'publish';

export interface BridgedNamespace {
  readonly namespace: string;
  readonly mode: BridgeMode;
}

type BridgedHub = Pick<OpenHub, 'members' | 'rooms'>;

/** As of Socket.IO's own clients, which wait for as long as they like. */
const acknowledgementMs = 60_000;

/** Which members here are in one of these rooms, or have one of these ids. */
export function membersIn({ members, rooms }: BridgedHub, names: readonly string[]): Set<HubMember> {
  const found = new Set<HubMember>();
  for (const name of names) {
    const named = members.get(name);
    if (named) found.add(named);
    for (const { id } of rooms.membersHere(name)) {
      const member = members.get(id);
      if (member) found.add(member);
    }
  }
  return found;
}

/** Sends an emission to the members here that it is for. @throws Error for a name that belongs to the transports */
export function emitHere(hub: BridgedHub, { event, args, rooms, except, acknowledge }: Emission): void {
  if (!isEventName(event)) throw new Error(`an event must not have a name of the transports, got: ${event}`);
  const meant = rooms === undefined ? new Set(hub.members.values()) : membersIn(hub, rooms);
  if (except.length > 0) for (const member of membersIn(hub, except)) meant.delete(member);
  if (acknowledge) void firstOf(meant, event, args).then(acknowledge, () => undefined);
  else deliverTo(meant, (format) => format.event(event, ...args));
}

/** Rejects where nobody acknowledges. */
function firstOf(
  meant: Iterable<HubMember>,
  event: string,
  args: readonly unknown[],
): Promise<readonly unknown[]> {
  return Promise.any(Array.from(meant, (member) => member.request(event, args, acknowledgementMs)));
}
