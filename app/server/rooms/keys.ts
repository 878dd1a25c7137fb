import { bucketOf, inBucket, roomPath } from '../redis/buckets.ts';

/** Names in Redis of one room's log: they are in the room's bucket, and two rooms never share a name. */
export interface RoomKeys {
  readonly channel: string;
  readonly meta: string;
  readonly log: string;
  /** Of all rooms in the bucket: since when what stands there is known. */
  readonly dataSince: string;
  id(subject: string, id: string): string;
}

export function roomKeys(deployment: string, hub: string, room: string): RoomKeys {
  const bucket = bucketOf(hub, room);
  const base = inBucket(deployment, bucket, 'room', roomPath(hub, room));
  return {
    channel: base,
    meta: `${base}:meta`,
    log: `${base}:log`,
    dataSince: inBucket(deployment, bucket, 'since'),
    // The length tells where the subject ends, whatever characters it has.
    id: (subject, id) => `${base}:id:${subject.length}:${subject}:${id}`,
  };
}
