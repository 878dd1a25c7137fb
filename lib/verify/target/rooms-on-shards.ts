import { bucketOf, inBucket, slotOf } from '../../../app/server/redis/buckets.ts';
import { count, list } from '../wording.ts';
import type { Target } from './target.ts';

/** A room, and the hub that it is in. */
export interface HubRoom {
  readonly hub: string;
  readonly room: string;
}

/** The rooms that one shard of the cluster has. */
export interface RoomsOfShard {
  /** From 1. */
  readonly shard: number;
  /** As `hub/room`. */
  readonly rooms: readonly string[];
}

/** Finds where rooms are now. @returns nothing where one server has all rooms, or there are none, or nobody can be asked */
export async function roomsOnShards(
  { control }: Pick<Target, 'control'>,
  rooms: readonly HubRoom[],
): Promise<readonly RoomsOfShard[]> {
  if (rooms.length === 0) return [];
  const shards = (await control?.shards?.().catch(() => [])) ?? [];
  return shards.map(({ shard, ranges }) => {
    const isHere = (place: HubRoom) => {
      const slot = slotOf(inBucket('', bucketOf(place.hub, place.room)));
      return ranges.some(([first, last]) => first <= slot && slot <= last);
    };
    return { shard, rooms: rooms.filter(isHere).map(({ hub, room }) => `${hub}/${room}`) };
  });
}

/** Such as `rooms of these checks: 9 on shard 1, 12 on shard 2 and 7 on shard 3`. */
export function describeShards(shards: readonly RoomsOfShard[]): string {
  const parts = shards.map(({ shard, rooms }) => `${rooms.length} on shard ${shard}`);
  return `rooms of these checks, on ${count(shards.length, 'shard')}: ${list(parts)}`;
}
