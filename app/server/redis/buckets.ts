import slotOfKey from 'cluster-key-slot';
import { redisName } from './keys.ts';

/**
 * Where the names of rooms lie in a cluster: each room, with all that belongs to it, in one of 256 buckets. A bucket is
 * one slot, so that a script may use all of its keys, and has a tag that never changes.
 *
 * The slots of the tags are evenly spaced: 3 shards with slots of equal number have 85 or 86 buckets each, and 16 shards
 * have 16. Tags of consecutive numbers would give 16 shards from 7 to 25.
 */
export const bucketTags: readonly string[] = (
  'cv 8f 17u 8b 9t d7 9p d3 6l 1cq 6h 1cu 18i mt j9 7z ae 14x aa 1nv 15j 22n y8 22j 3eu 5e 3eq 5a 4w i4 4s i0 ' +
  '1jv c2 10x ee ds 90 dw 94 1a 2d1 1e 1dx m0 jy m4 28d fh f fl b 12g n 12c 25g 1gu 2h 1gq 2l 3z 43 it 47 rt ' +
  '7f 18u 7b 6t k7 6p 19 9l 1lq 9h 1lu 17i bt e9 8z 4o 1ar 4k 1av 24 ow 20 5y 15r 1h1 15v 1h5 15z f4 ay f0 ' +
  '1ev 68 1er je 1y 60 kw 64 dk 11v do 11r b0 ey b4 27d 3b 2x 3f 1xy 59 2p o7 2t 1hu gb 1hq gf fp a9 ft z 8d ' +
  '17s bj 17w bf 9v d1 9r 19y 6n 1cw 6j mv 18k 7x t9 14z ag 1nt ac 22l 15h 22h g8 5g 3ew 5c 3es i6 4u 38 4q ' +
  'ec 1jt eg 10z 92 dq 96 du 2d3 1c 1dz 1g ty 78 28f m6 d fj 13s fn gx fb 25e 12a 2j 1gw 2n 1gs 41 3x 45 iv ' +
  '7d 18s mj 18w 7l 6v k1 6r 16y 9n 1lw 9j bv 17k 8x 17o 1ap 4m 1at 4i ou 26 oq 22 129 15p 1h7 15t f6 8 f2 ' +
  '23b jc 1et jg 1ep 62 kq 66 ku 11t di 11p dm 27b 88 27f b6 2f0 ij 1fy 3d 2r 3h 2v o5 yb 1hw gd 12y 13o fr x ' +
  'fv'
).split(' ');

/** What a deployment has once: leases, bans, duties. */
const homeTag = 'home';

/** Slots of a cluster, by the specification of Redis Cluster. */
export const slotCount = 16_384;

const slotsOfTags = new Map([homeTag, ...bucketTags].map((tag) => [tag, slotOfKey(tag)]));

/** The slot in which a cluster keeps this key or channel. */
export function slotOf(name: string): number {
  const open = name.indexOf('{') + 1;
  return slotsOfTags.get(name.slice(open, name.indexOf('}', open))) ?? slotOfKey(name);
}

/** `hub/room`: two rooms never share it. A namespace may have a slash in its name. */
export function roomPath(hub: string, room: string): string {
  const isPlain = !hub.includes('/') && !hub.includes('%');
  return `${isPlain ? hub : hub.replace(/[%/]/g, encodeURIComponent)}/${room}`;
}

/** A bucket's tag: the same for a hub's room on every instance, and for as long as the deployment lives. */
export function bucketOf(hub: string, room: string): string {
  return bucketOfPath(roomPath(hub, room));
}

/** @param path as `roomPath` gives it */
export function bucketOfPath(path: string): string {
  return bucketTags[hashOf(path) % bucketTags.length] as string;
}

/** FNV-1a, which is short and spreads names that differ in their last digit. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** @param tag of the bucket; a name of ours holds no other braces before it */
export function inBucket(deployment: string, tag: string, ...parts: readonly string[]): string {
  return redisName(deployment, `{${tag}}`, ...parts);
}

/** A name of what a deployment has once; all of these share a slot. */
export function atHome(deployment: string, ...parts: readonly string[]): string {
  return inBucket(deployment, homeTag, ...parts);
}
