import { assertAvailable, availableRedis, type RedisAccess } from '../redis/access.ts';
import { bucketTags } from '../redis/buckets.ts';
import { NamedScript } from '../redis/script.ts';
import { askBuckets, settleAll, settleInPortions, throwFirst } from '../redis/settled.ts';
import { openEvent } from '../rooms/broadcast.ts';
import { makeEpochTag } from '../rooms/log/position.ts';
import { type BucketPresenceKeys, bucketPresenceKeys, lookKey, partsOf, presenceKeys } from './keys.ts';
import { mostAnnounced, mostAtOnce } from './store.ts';

export interface BucketSweepOptions {
  readonly links: RedisAccess;
  readonly deployment: string;
  /** How long what nobody looks after is kept, in milliseconds. */
  readonly ageMs: number;
  /** An owner that compared nothing in a bucket for so long is gone, in milliseconds. */
  readonly staleMs: number;
}

/** Which rooms an owner is taken out of. */
export interface ReleaseScope {
  /** @default of all hubs */
  readonly hub?: string;
  /** @default in all buckets */
  readonly buckets?: Iterable<string>;
}

const file = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);

const scripts = {
  announce: new NamedScript(
    {
      keys: ['counts', 'leaving', 'state', 'due'],
      args: ['place', 'channel', 'openBroadcast', 'newEpoch', 'ageMs', 'mostSubjects'],
    },
    file('announce'),
  ),
  due: new NamedScript({ keys: ['due', 'since'], args: ['sinceKeptMs', 'mostRooms'] }, file('due')),
  release: new NamedScript(
    {
      keys: ['counts', 'leaving', 'ownSubjects', 'ownRooms', 'due', 'compared'],
      args: ['owner', 'place', 'graceMs', 'ageMs', 'most'],
    },
    file('release'),
  ),
  stale: new NamedScript({ keys: ['since', 'compared'], args: ['sinceKeptMs', 'staleMs'] }, file('stale')),
};

/** One instance looks after what is due, this often. */
const lookEveryMs = 1_000;
const mostRoomsDue = 1_000;
const roomsAtOnce = 50;
/** Each of them may take a millisecond, in which Redis does nothing else. */
const releasesAtOnce = 8;
/** For how long it is known since when a bucket's contents are; it is renewed once in four minutes. */
export const sinceKeptMs = 24 * 3_600_000;
const staleGraceMs = 10_000;

/** What is done in all buckets for all hubs, by one instance at a time. */
export class BucketSweep {
  readonly #options: BucketSweepOptions;
  readonly #releases = new Map<string, Promise<void>>();
  /** Keys of all buckets: names that are asked for each second. */
  readonly #looked: readonly Pick<BucketPresenceKeys, 'due' | 'since'>[];
  #lookAgainAt = 0;
  #isLooking = false;

  constructor(options: BucketSweepOptions) {
    this.#options = options;
    this.#looked = bucketTags.map((bucket) => bucketPresenceKeys(options.deployment, bucket));
  }

  /** Publishes the leaves that are due, unless somebody did lately. @throws Error where a shard could not be asked */
  async publishDue(): Promise<void> {
    const now = performance.now();
    if (this.#isLooking || now < this.#lookAgainAt) return;
    this.#lookAgainAt = now + lookEveryMs * 0.9;
    this.#isLooking = true;
    try {
      if (await this.#isOnDuty()) await this.#look();
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(): Promise<void> {
    const { fault } = await settleAll([this.#publishAll(), this.#releaseStale()]);
    throwFirst(fault);
  }

  /** Takes back what an owner registered. @throws Error where a shard could not be asked, once all others were */
  release(owner: string, graceMs: number, scope: ReleaseScope = {}): Promise<void> {
    if (scope.hub !== undefined) return this.#release(owner, graceMs, scope);
    // Every hub asks for it at the same moment.
    const known = this.#releases.get(owner);
    if (known) return known;
    const releasing = this.#release(owner, graceMs, scope).finally(() => this.#releases.delete(owner));
    this.#releases.set(owner, releasing);
    return releasing;
  }

  /** Where nobody can be elected, each looks by itself: what is published twice is published once. */
  async #isOnDuty(): Promise<boolean> {
    const key = lookKey(this.#options.deployment);
    const home = availableRedis(this.#options.links, key);
    const elected = await home?.set(key, 1, 'PX', lookEveryMs - 50, 'NX').catch(() => 'OK');
    return !home || elected === 'OK';
  }

  async #publishAll(): Promise<void> {
    const { answers, fault } = await settleAll(
      this.#looked.map(async ({ due, since }) => {
        const redis = this.#redis(due);
        // A bucket in which nothing happens costs this alone: `since` counts twice, and is there.
        if ((await redis.exists(since, since, due)) === 2) return [];
        const args = { sinceKeptMs, mostRooms: mostRoomsDue };
        return (await scripts.due.run(redis, { due, since }, args)) as string[];
      }),
    );
    const published = await settleInPortions(answers.flat(), roomsAtOnce, (place) => this.#publish(place));
    throwFirst(published.fault, fault);
  }

  async #publish(place: string): Promise<void> {
    const { deployment, ageMs } = this.#options;
    const { hub, room } = partsOf(place);
    const { counts, leaving, state, channel, due } = presenceKeys(deployment, hub, room);
    const args = {
      place,
      channel,
      openBroadcast: openPresenceEvent(room),
      newEpoch: makeEpochTag(),
      ageMs,
      mostSubjects: mostAnnounced,
    };
    await scripts.announce.run(this.#redis(due), { counts, leaving, state, due }, args);
  }

  async #release(owner: string, graceMs: number, { hub, buckets }: ReleaseScope): Promise<void> {
    const { answers, fault } = await askBuckets(async (bucket) => {
      const key = bucketPresenceKeys(this.#options.deployment, bucket).placesOf(owner);
      return this.#redis(key).smembers(key);
    }, buckets);
    const places = answers.flat().filter((place) => hub === undefined || partsOf(place).hub === hub);
    const released = await settleInPortions(places, releasesAtOnce, (place) =>
      this.#releaseRoom(place, owner, graceMs),
    );
    throwFirst(released.fault, fault);
  }

  async #releaseRoom(place: string, owner: string, graceMs: number): Promise<void> {
    const { deployment, ageMs } = this.#options;
    const { hub, room } = partsOf(place);
    const { counts, leaving, of, due, compared, placesOf } = presenceKeys(deployment, hub, room);
    const keys = { counts, leaving, ownSubjects: of(owner), ownRooms: placesOf(owner), due, compared };
    const args = { owner, place, graceMs, ageMs, most: mostAtOnce };
    for (let rest = 1; rest > 0; ) {
      rest = (await scripts.release.run(this.#redis(due), keys, args)) as number;
    }
  }

  /** The leases may have lost an owner that died: what it has registered tells by its age. One bucket a second. */
  async #releaseStale(): Promise<void> {
    const { deployment, staleMs } = this.#options;
    const bucket = bucketTags[Math.floor(Date.now() / lookEveryMs) % bucketTags.length] as string;
    const { since, compared } = bucketPresenceKeys(deployment, bucket);
    const redis = this.#redis(since);
    const owners = await scripts.stale.run(redis, { since, compared }, { sinceKeptMs, staleMs });
    for (const owner of owners as string[]) {
      await this.#release(owner, staleGraceMs, { buckets: [bucket] });
      // What it has registered may have aged away.
      await redis.zrem(compared, owner);
    }
  }

  #redis(key: string) {
    return assertAvailable(this.#options.links, key);
  }
}

/** A change as a room is notified of it, open for what the script that makes it adds. */
export function openPresenceEvent(room: string): string {
  return openEvent('presence', { room });
}
