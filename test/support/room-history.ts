import type { Message, Position } from '../../app/protocol/hub.ts';
import { roomKeys } from '../../app/server/rooms/keys.ts';
import { onRedis } from './redis-client.ts';

/** What stands in one room's log, read without any of the service's code. */
export interface RoomHistory {
  readonly entries: readonly Pick<Message, 'epoch' | 'offset' | 'id'>[];
  /** `placeOf` an entry -> its index. */
  readonly places: ReadonlyMap<string, number>;
  /** Each epoch with its last offset. */
  readonly ends: ReadonlyMap<string, number>;
}

export async function readHistories(
  port: number,
  rooms: readonly string[],
  { deployment = 'realtime', hub = 'chat' } = {},
): Promise<Map<string, RoomHistory>> {
  return onRedis(port, async (redis) => {
    const read = async (room: string): Promise<[string, RoomHistory]> => {
      const keys = roomKeys(deployment, hub, room);
      const log = await redis.xrange(keys.log, '-', '+');
      const { epochs = '', head = '0' } = await redis.hgetall(keys.meta);
      const entries = log.map(([, fields]) => JSON.parse(fields[1] as string) as Message);
      return [room, historyOf(entries, epochs, Number(head))];
    };
    return new Map(await Promise.all(rooms.map(read)));
  });
}

/** @param epochs each epoch with the last offset before it: `E1 0 E2 57` */
export function historyOf(entries: RoomHistory['entries'], epochs: string, head: number): RoomHistory {
  const words = epochs.split(' ');
  const ends = new Map<string, number>();
  for (let index = 0; index + 1 < words.length; index += 2) {
    ends.set(words[index] as string, index + 3 < words.length ? Number(words[index + 3]) : head);
  }
  const places = new Map(entries.map((entry, index) => [placeOf(entry), index]));
  return { entries, places, ends };
}

/** Index of the first entry behind a position; 0 if the position is not in this history. */
export function placeIn({ entries, ends }: RoomHistory, { epoch, offset }: Position): number {
  const end = ends.get(epoch);
  if (end === undefined) return 0;
  const reached = Math.min(offset, end);
  const place = entries.findIndex((entry) => entry.offset > reached);
  return place < 0 ? entries.length : place;
}

/** Whether a position lies before what the log still holds. */
export function isTrimmed({ entries, ends }: RoomHistory, { epoch, offset }: Position): boolean {
  const end = ends.get(epoch);
  const first = entries[0];
  return end !== undefined && first !== undefined && offset <= end && offset < first.offset;
}

/** Key of an entry in a history. */
export function placeOf({ epoch, offset, id }: Pick<Message, 'epoch' | 'offset' | 'id'>): string {
  return `${epoch} ${offset} ${id}`;
}
