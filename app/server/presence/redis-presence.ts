import type { PresencePosition } from '../../protocol/hub.ts';
import { fenceKey } from '../leases/fence.ts';
import { assertAvailable, type RedisAccess, type WatchedRedis } from '../redis/access.ts';
import { NamedScript } from '../redis/script.ts';
import { makeEpochTag } from '../rooms/log/position.ts';
import { BucketSweep, openPresenceEvent, sinceKeptMs } from './bucket-sweep.ts';
import { type PresenceKeys, presenceKeys } from './keys.ts';
import {
  type Change,
  type HubPresence,
  type HubPresenceOptions,
  type Members,
  mostMembers,
  type PresenceStore,
  UnsettledError,
} from './store.ts';

export interface RedisPresenceOptions {
  readonly links: WatchedRedis;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  /** How long what nobody looks after is kept, in milliseconds. @default an hour */
  readonly ageMs?: number;
  /** How long owners have to register again where Redis came back empty, in milliseconds. @default 4,000 */
  readonly quietMs?: number;
}

const file = (name: string) => new URL(`./scripts/${name}.lua`, import.meta.url);

const scripts = {
  change: new NamedScript(
    {
      keys: ['counts', 'leaving', 'state', 'ownSubjects', 'ownRooms', 'due', 'fence', 'since', 'compared'],
      args: [
        'owner',
        'place',
        'channel',
        'openBroadcast',
        'newEpoch',
        'graceMs',
        'ageMs',
        'mostMembers',
        'quietMs',
        'sinceKeptMs',
        'came',
      ],
    },
    file('change'),
  ),
  members: new NamedScript(
    { keys: ['counts', 'state'], args: ['knownEpoch', 'knownVersion'] },
    file('members'),
  ),
  registered: new NamedScript(
    {
      keys: ['counts', 'leaving', 'state', 'ownSubjects', 'ownRooms', 'due', 'compared'],
      args: ['owner', 'ageMs'],
    },
    file('registered'),
  ),
};

/** Presence that all instances of a deployment share. Changes are published by the scripts that make them. */
export function openRedisPresence(options: RedisPresenceOptions): PresenceStore {
  const { links, deployment, ageMs = 3_600_000, quietMs = 4_000 } = options;
  // Rooms are compared every ten minutes.
  const staleMs = ageMs / 2;
  const sweep = new BucketSweep({ links, deployment, ageMs, staleMs });
  return {
    open: (hub) => new RedisPresence({ links, deployment, ageMs, quietMs, sweep, ...hub }),
    onReturn: (handler) =>
      links.onReturn((has) => handler((hub, room) => has(presenceKeys(deployment, hub, room).counts))),
  };
}

interface HubOptions extends HubPresenceOptions {
  readonly links: RedisAccess;
  readonly deployment: string;
  readonly ageMs: number;
  readonly quietMs: number;
  readonly sweep: BucketSweep;
}

class RedisPresence implements HubPresence {
  readonly #options: HubOptions;
  /** Where this instance may have registered somebody. */
  readonly #buckets = new Set<string>();

  constructor(options: HubOptions) {
    this.#options = options;
  }

  async change(room: string, { owner, joined, left }: Change): Promise<boolean> {
    const { deployment, graceMs, ageMs, quietMs } = this.#options;
    const keys = this.#keys(room);
    const { counts, leaving, state, due, since, compared, bucket, place, channel } = keys;
    this.#buckets.add(bucket);
    const answer = await scripts.change.run(
      this.#redis(keys),
      {
        counts,
        leaving,
        state,
        due,
        since,
        compared,
        ownSubjects: keys.of(owner),
        ownRooms: keys.placesOf(owner),
        fence: fenceKey(deployment, bucket),
      },
      {
        owner,
        place,
        channel,
        openBroadcast: openPresenceEvent(room),
        newEpoch: makeEpochTag(),
        graceMs,
        ageMs,
        mostMembers,
        quietMs,
        sinceKeptMs,
        came: joined.length,
      },
      [...joined, ...left],
    );
    return answer === 1;
  }

  async registered(room: string, owner: string): Promise<string[]> {
    const keys = this.#keys(room);
    const { counts, leaving, state, due, compared } = keys;
    const own = { ownSubjects: keys.of(owner), ownRooms: keys.placesOf(owner) };
    const named = { counts, leaving, state, due, compared, ...own };
    const args = { owner, ageMs: this.#options.ageMs };
    return (await scripts.registered.run(this.#redis(keys), named, args)) as string[];
  }

  async members(room: string, known?: PresencePosition): Promise<Members> {
    const args = { knownEpoch: known?.epoch ?? '', knownVersion: known?.version ?? -1 };
    const keys = this.#keys(room);
    const answer = await scripts.members.run(this.#redis(keys), keys, args);
    const [epoch, version, isSettling, isKnown, ...members] = answer as MembersReply;
    if (isSettling) throw new UnsettledError();
    return { epoch, version, ...(isKnown ? {} : { members }) };
  }

  publishDue(): Promise<void> {
    return this.#options.sweep.publishDue();
  }

  release(owner: string, graceMs: number, hubs: 'own' | 'all'): Promise<void> {
    const { sweep, hub } = this.#options;
    return sweep.release(owner, graceMs, hubs === 'own' ? { hub, buckets: this.#buckets } : {});
  }

  #redis({ counts }: PresenceKeys) {
    return assertAvailable(this.#options.links, counts);
  }

  #keys(room: string): PresenceKeys {
    return presenceKeys(this.#options.deployment, this.#options.hub, room);
  }
}

/** What `members.lua` returns. */
type MembersReply = [epoch: string, version: number, isSettling: 0 | 1, isKnown: 0 | 1, ...members: string[]];
