import { bucketOfPath, inBucket, roomPath } from '../redis/buckets.ts';

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
  const path = roomPath(hub, room);
  const bucket = inBucket(deployment, bucketOfPath(path));
  // The room comes last, whatever characters it has: what stands before it says where it begins.
  return {
    channel: channelIn(bucket, path),
    meta: `${bucket}:meta:${path}`,
    log: `${bucket}:log:${path}`,
    dataSince: `${bucket}:since`,
    id: (subject, id) => `${bucket}:id:${subject.length}:${subject}:${id.length}:${id}:${path}`,
  };
}

/** A room's channel. @param bucket how all names of its bucket begin @param path as `roomPath` gives it */
export function channelIn(bucket: string, path: string): string {
  return `${bucket}:room:${path}`;
}
