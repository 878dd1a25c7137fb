import { atHome, bucketOf, inBucket, roomPath } from '../redis/buckets.ts';
import { roomKeys } from '../rooms/keys.ts';

/** Names in Redis of one room's presence, in the room's bucket. */
export interface PresenceKeys {
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

export function presenceKeys(deployment: string, hub: string, room: string): PresenceKeys {
  const place = roomPath(hub, room);
  // The room stands last: whatever characters it has, two rooms never share a name.
  const name = (...kind: readonly string[]) =>
    inBucket(deployment, bucketOf(hub, room), 'presence', ...kind, place);
  return {
    counts: name('counts'),
    leaving: name('leaving'),
    state: name('state'),
    of: (owner) => name('of', owner),
    channel: roomKeys(deployment, hub, room).channel,
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
  const name = (...parts: readonly string[]) => inBucket(deployment, bucket, 'presence', ...parts);
  return {
    due: name('due'),
    since: name('since'),
    compared: name('compared'),
    placesOf: (owner) => name('places', owner),
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
