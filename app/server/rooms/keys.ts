import { hashTag, redisName } from '../redis/keys.ts';

/** Names in Redis of one room's log: its keys share a slot, and two rooms never share a name. */
export interface RoomKeys {
  readonly channel: string;
  readonly meta: string;
  readonly log: string;
  /** Of all rooms: since when what stands in this Redis is known. */
  readonly dataSince: string;
  id(subject: string, id: string): string;
}

export function roomKeys(deployment: string, hub: string, room: string): RoomKeys {
  const base = redisName(deployment, 'room', hashTag(hub, room));
  return {
    channel: base,
    meta: `${base}:meta`,
    log: `${base}:log`,
    dataSince: redisName(deployment, 'room', 'since'),
    // The length tells where the subject ends, whatever characters it has.
    id: (subject, id) => `${base}:id:${subject.length}:${subject}:${id}`,
  };
}
