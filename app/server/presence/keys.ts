import { atHome, bucketOfPath, inBucket, roomPath } from '../redis/buckets.ts';
import { channelIn } from '../rooms/keys.ts';

/** Names in Redis of one room's presence, in the room's bucket. */
export interface PresenceKeys extends BucketPresenceKeys {
  /** The bucket's tag. */
  readonly bucket: string;
  /** The room, as the names that its bucket shares name it. */
  readonly place: string;
  /** Hash: subject -> owners through which it is in the room. */
  readonly counts: string;
  /** Sorted set: subjects by when their leave is published. */
  readonly leaving: string;
  /** Hash: epoch, version, and what they hang on. */
  readonly state: string;
  /** Set: the subjects that are in the room through this owner. */
  of(owner: string): string;
  /** The room's own channel: changes are broadcast on it. */
  readonly channel: string;
}

/** Those of the room and, so that its bucket is looked for once, those that it shares. */
export function presenceKeys(deployment: string, hub: string, room: string): PresenceKeys {
  const place = roomPath(hub, room);
  const bucket = bucketOfPath(place);
  const inOwnBucket = inBucket(deployment, bucket);
  const prefix = `${inOwnBucket}:presence:`;
  // The room stands last: whatever characters it has, two rooms never share a name.
  return {
    bucket,
    place,
    counts: `${prefix}counts:${place}`,
    leaving: `${prefix}leaving:${place}`,
    state: `${prefix}state:${place}`,
    of: (owner) => `${prefix}of:${owner}:${place}`,
    channel: channelIn(inOwnBucket, place),
    ...namesOfBucket(prefix),
  };
}

/** Names that all rooms of a bucket share. */
export interface BucketPresenceKeys {
  /** Sorted set: places by when something of them is to be published. */
  readonly due: string;
  /** String: since when what stands in this bucket is known, in the server's milliseconds. */
  readonly since: string;
  /** Sorted set: owners by when they last compared what they have registered in the bucket. */
  readonly compared: string;
  /** Set: the places in which this owner has registered somebody. */
  placesOf(owner: string): string;
}

export function bucketPresenceKeys(deployment: string, bucket: string): BucketPresenceKeys {
  return namesOfBucket(`${inBucket(deployment, bucket)}:presence:`);
}

function namesOfBucket(prefix: string): BucketPresenceKeys {
  return {
    due: `${prefix}due`,
    since: `${prefix}since`,
    compared: `${prefix}compared`,
    placesOf: (owner) => `${prefix}places:${owner}`,
  };
}

/** There while one instance looks after what is due in all buckets. */
export function lookKey(deployment: string): string {
  return atHome(deployment, 'presence', 'look');
}

/** What `roomPath` made, as the keys name a room. */
export function partsOf(place: string): { readonly hub: string; readonly room: string } {
  const slash = place.indexOf('/');
  return { hub: decodeURIComponent(place.slice(0, slash)), room: place.slice(slash + 1) };
}
