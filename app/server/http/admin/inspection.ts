import { z } from 'zod';
import type { RoomView } from '../../rooms/hub-rooms.ts';
import type { Member } from '../../rooms/member.ts';

/** A hub as it is looked at. */
export interface InspectedHub {
  readonly name: string;
  /** All that are connected to it. */
  readonly members: ReadonlyMap<string, Member>;
  readonly rooms: { view(): Iterable<RoomView> };
}

export const inspectionQuery = z.strictObject({
  hub: z.string().optional(),
  room: z.string().optional(),
  user: z.string().optional(),
  /** Entries in a page. */
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  /** `next` of the page before. */
  roomsAfter: z.string().optional(),
  usersAfter: z.string().optional(),
});

export type InspectionQuery = z.infer<typeof inspectionQuery>;

export interface HubEntry {
  readonly hub: string;
  readonly sockets: number;
  readonly rooms: number;
  readonly members: number;
}

/** A room of this instance; `members` are the sockets that are here. */
export interface RoomEntry {
  readonly hub: string;
  readonly room: string;
  readonly members: number;
  /** How far the members here have been served. */
  readonly epoch?: string;
  readonly offset?: number;
}

export interface UserEntry {
  readonly hub: string;
  readonly user: string;
  readonly sockets: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly next?: string;
}

export interface Inspection {
  readonly hubs: readonly HubEntry[];
  readonly rooms: Page<RoomEntry>;
  readonly users: Page<UserEntry>;
}

/**
 * What this instance holds. `hub`, `room` and `user` narrow both lists: the rooms of a user, the users of a room.
 * Pages are ordered by `hub/name`, so that what comes and goes meanwhile moves nothing else.
 */
export function inspect(hubs: readonly InspectedHub[], query: InspectionQuery): Inspection {
  const wanted = hubs.filter(({ name }) => query.hub === undefined || name === query.hub);
  return {
    hubs: wanted.map(hubEntry),
    rooms: pageOf(roomEntries(wanted, query), query.limit, query.roomsAfter),
    users: pageOf(userEntries(wanted, query), query.limit, query.usersAfter),
  };
}

function hubEntry({ name, members: connected, rooms }: InspectedHub): HubEntry {
  const all = [...rooms.view()];
  const members = all.reduce((sum, room) => sum + room.members.size, 0);
  return { hub: name, sockets: connected.size, rooms: all.length, members };
}

type Keyed<T> = readonly [key: string, entry: T];

function* roomEntries(
  hubs: readonly InspectedHub[],
  { room, user }: InspectionQuery,
): Iterable<Keyed<RoomEntry>> {
  for (const { name: hub, rooms } of hubs) {
    for (const { name, members, cursor } of rooms.view()) {
      if (room !== undefined && name !== room) continue;
      if (user !== undefined && !holds(members, user)) continue;
      yield [`${hub}/${name}`, { hub, room: name, members: members.size, ...cursor }];
    }
  }
}

function* userEntries(hubs: readonly InspectedHub[], query: InspectionQuery): Iterable<Keyed<UserEntry>> {
  for (const hub of hubs) {
    const counts = new Map<string, number>();
    for (const { subject } of membersIn(hub, query.room)) {
      if (query.user === undefined || subject === query.user)
        counts.set(subject, (counts.get(subject) ?? 0) + 1);
    }
    for (const [user, sockets] of counts) yield [`${hub.name}/${user}`, { hub: hub.name, user, sockets }];
  }
}

function membersIn({ members: connected, rooms }: InspectedHub, room: string | undefined): Iterable<Member> {
  if (room === undefined) return connected.values();
  for (const { name, members } of rooms.view()) if (name === room) return members;
  return [];
}

function holds(members: ReadonlySet<Member>, user: string): boolean {
  for (const { subject } of members) if (subject === user) return true;
  return false;
}

/** The first entries behind `after`: sorts no more than two pages at once, however many there are. */
function pageOf<T>(entries: Iterable<Keyed<T>>, limit: number, after = ''): Page<T> {
  let first: Keyed<T>[] = [];
  const keepFirst = () => {
    first = first.sort(([one], [other]) => (one < other ? -1 : 1)).slice(0, limit + 1);
  };
  for (const entry of entries) {
    if (entry[0] <= after) continue;
    first.push(entry);
    if (first.length > 2 * (limit + 1)) keepFirst();
  }
  keepFirst();
  const page = first.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(([, entry]) => entry),
    ...(first.length > limit && last ? { next: last[0] } : {}),
  };
}
