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
  const path = roomPath(hub, room);
  // The room comes last, whatever characters it has: what stands before it says where it begins.
  const name = (...parts: readonly string[]) => inBucket(deployment, bucket, ...parts);
  return {
    channel: name('room', path),
    meta: name('meta', path),
    log: name('log', path),
    dataSince: name('since'),
    id: (subject, id) => name('id', `${subject.length}`, subject, `${id.length}`, id, path),
  };
}
