import { hashTag, redisName } from '../redis/keys.ts';
import { roomKeys } from '../rooms/keys.ts';

/** Names in Redis of one room's presence; beside those of its log. */
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
  const { channel } = roomKeys(deployment, hub, room);
  const base = `${channel}:presence`;
  return {
    counts: `${base}:counts`,
    leaving: `${base}:leaving`,
    state: `${base}:state`,
    of: (owner) => `${base}:of:${owner}`,
    channel,
  };
}

/** Names that all rooms of a deployment share. */
export interface SharedPresenceKeys {
  /** Sorted set: places by when something of them is to be published. */
  readonly due: string;
  /** There while a beat's caller looks after what is due. */
  readonly beat: string;
  /** Set: the places in which this owner has registered somebody. */
  of(owner: string): string;
}

export function sharedPresenceKeys(deployment: string): SharedPresenceKeys {
  const base = redisName(deployment, 'presence', hashTag('all'));
  return { due: `${base}:due`, beat: `${base}:beat`, of: (owner) => `${base}:of:${owner}` };
}

/** A room of a hub, as the shared keys name it. A hub's name holds no slash. */
export function placeOf(hub: string, room: string): string {
  return `${hub}/${room}`;
}

export function partsOf(place: string): { readonly hub: string; readonly room: string } {
  const slash = place.indexOf('/');
  return { hub: place.slice(0, slash), room: place.slice(slash + 1) };
}
