import type { Message } from '../../../app/protocol/hub.ts';
import { roomKeys } from '../../../app/server/rooms/keys.ts';
import { RoomLog } from '../../../lib/verify/accounting/audit.ts';
import { onRedis } from './redis-client.ts';

/** What stands in the logs of rooms, read without any of the service's code. */
export async function readHistories(
  port: number,
  rooms: readonly string[],
  names: HistoryNames = {},
): Promise<Map<string, RoomLog>> {
  return onRedis(port, (redis) => historiesFrom(redis, rooms, names));
}

/** Where rooms are on more than one server. */
export interface HistoryReader {
  readHistories(rooms: readonly string[]): Promise<Map<string, RoomLog>>;
}

interface HistoryNames {
  readonly deployment?: string;
  readonly hub?: string;
}

/** What reads Redis: a connection that is open, or a command beside it. */
interface HistorySource {
  xrange(key: string, start: '-', end: '+'): Promise<[id: string, fields: string[]][]>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
}

/** The same, from there. */
export async function historiesFrom(
  redis: HistorySource,
  rooms: readonly string[],
  { deployment = 'realtime', hub = 'chat' }: HistoryNames = {},
): Promise<Map<string, RoomLog>> {
  const read = async (room: string): Promise<[string, RoomLog]> => {
    const keys = roomKeys(deployment, hub, room);
    const log = await redis.xrange(keys.log, '-', '+');
    const [epochs, head] = await redis.hmget(keys.meta, 'epochs', 'head');
    const entries = log.map(([, fields]) => JSON.parse(fields[1] as string) as Message);
    return [room, new RoomLog(entries, epochsIn(epochs ?? ''), Number(head ?? 0))];
  };
  return new Map(await Promise.all(rooms.map(read)));
}

/** @param text each epoch with the last offset before it, and what is lost there: `E1 0 E2 57 E3 90+4` */
function epochsIn(text: string) {
  const words = text.split(' ');
  return words.flatMap((epoch, index) =>
    index % 2 === 0 && index + 1 < words.length
      ? [{ epoch, after: Number.parseInt(words[index + 1] as string, 10) }]
      : [],
  );
}
