import type { PresencePosition } from '../../protocol/hub.ts';
import { leaseKeys } from '../leases/redis-leases.ts';
import { assertAvailable, type WatchedRedis } from '../redis/access.ts';
import { NamedScript } from '../redis/script.ts';
import { openEvent } from '../rooms/broadcast.ts';
import { makeEpochTag } from '../rooms/log/position.ts';
import { partsOf, placeOf, presenceKeys, sharedPresenceKeys } from './keys.ts';
import {
  type Change,
  type HubPresence,
  type HubPresenceOptions,
  type Members,
  mostAtOnce,
  mostMembers,
  mostTold,
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
      keys: ['counts', 'leaving', 'state', 'ownSubjects', 'ownRooms', 'due', 'owners', 'beat'],
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
        'came',
      ],
    },
    file('change'),
  ),
  tell: new NamedScript(
    {
      keys: ['counts', 'leaving', 'state', 'due'],
      args: ['place', 'channel', 'openBroadcast', 'newEpoch', 'ageMs', 'mostSubjects'],
    },
    file('tell'),
  ),
  due: new NamedScript({ keys: ['due', 'beat'], args: ['everyMs', 'mostRooms'] }, file('due')),
  release: new NamedScript(
    {
      keys: ['counts', 'leaving', 'ownSubjects', 'ownRooms', 'due'],
      args: ['place', 'graceMs', 'ageMs', 'most'],
    },
    file('release'),
  ),
  members: new NamedScript(
    { keys: ['counts', 'state'], args: ['knownEpoch', 'knownVersion'] },
    file('members'),
  ),
  registered: new NamedScript(
    { keys: ['counts', 'leaving', 'state', 'ownSubjects', 'ownRooms', 'due'], args: ['ageMs'] },
    file('registered'),
  ),
};

/** One instance looks after what is due, this often. */
const dueEveryMs = 1_000;
const mostRoomsDue = 1_000;
const roomsAtOnce = 50;

/** Presence that all instances of a deployment share. Changes are published by the scripts that make them. */
export function openRedisPresence(options: RedisPresenceOptions): PresenceStore {
  return {
    open: (hub) => new RedisPresence(options, hub),
    onReturn: (handler) => options.links.onReturn(handler),
  };
}

class RedisPresence implements HubPresence {
  readonly #links: RedisPresenceOptions['links'];
  readonly #deployment: string;
  readonly #hub: string;
  readonly #graceMs: number;
  readonly #ageMs: number;
  readonly #quietMs: number;

  constructor(
    { links, deployment, ageMs = 3_600_000, quietMs = 4_000 }: RedisPresenceOptions,
    { hub, graceMs }: HubPresenceOptions,
  ) {
    this.#links = links;
    this.#deployment = deployment;
    this.#hub = hub;
    this.#graceMs = graceMs;
    this.#ageMs = ageMs;
    this.#quietMs = quietMs;
  }

  async change(room: string, { owner, joined, left }: Change): Promise<boolean> {
    const args = {
      owner,
      place: placeOf(this.#hub, room),
      ...this.#teller(this.#hub, room),
      graceMs: this.#graceMs,
      ageMs: this.#ageMs,
      mostMembers,
      quietMs: this.#quietMs,
      came: joined.length,
    };
    const { owners, beat } = leaseKeys(this.#deployment);
    const keys = { ...this.#keysOf(owner, this.#hub, room), owners, beat };
    const answer = await scripts.change.run(this.#redis(), keys, args, [...joined, ...left]);
    return answer === 1;
  }

  async registered(room: string, owner: string): Promise<string[]> {
    const keys = this.#keysOf(owner, this.#hub, room);
    return (await scripts.registered.run(this.#redis(), keys, { ageMs: this.#ageMs })) as string[];
  }

  async members(room: string, known?: PresencePosition): Promise<Members> {
    const args = { knownEpoch: known?.epoch ?? '', knownVersion: known?.version ?? -1 };
    const answer = await scripts.members.run(this.#redis(), this.#keys(this.#hub, room), args);
    const [epoch, version, isSettling, isKnown, ...members] = answer as MembersReply;
    if (isSettling) throw new UnsettledError();
    return { epoch, version, ...(isKnown ? {} : { members }) };
  }

  async publishDue(): Promise<void> {
    const args = { everyMs: dueEveryMs, mostRooms: mostRoomsDue };
    const places = await scripts.due.run(this.#redis(), this.#shared, args);
    const all = places as string[];
    for (let start = 0; start < all.length; start += roomsAtOnce) {
      await Promise.all(all.slice(start, start + roomsAtOnce).map((place) => this.#publish(place)));
    }
  }

  async release(owner: string, graceMs: number, hubs: 'own' | 'all'): Promise<void> {
    for (const place of await this.#redis().smembers(this.#shared.of(owner))) {
      if (hubs === 'all' || partsOf(place).hub === this.#hub) await this.#releaseRoom(place, owner, graceMs);
    }
  }

  async #releaseRoom(place: string, owner: string, graceMs: number): Promise<void> {
    const { hub, room } = partsOf(place);
    const keys = this.#keysOf(owner, hub, room);
    const args = { place, graceMs, ageMs: this.#ageMs, most: mostAtOnce };
    for (let rest = 1; rest > 0; ) {
      rest = (await scripts.release.run(this.#redis(), keys, args)) as number;
    }
  }

  async #publish(place: string): Promise<void> {
    const { hub, room } = partsOf(place);
    const keys = { ...this.#keys(hub, room), due: this.#shared.due };
    const args = { place, ...this.#teller(hub, room), ageMs: this.#ageMs, mostSubjects: mostTold };
    await scripts.tell.run(this.#redis(), keys, args);
  }

  #redis() {
    return assertAvailable(this.#links, this.#shared.due);
  }

  /** What a script needs to tell the room of a change. */
  #teller(hub: string, room: string) {
    const { channel } = this.#keys(hub, room);
    return { channel, openBroadcast: openEvent('presence', { room }), newEpoch: makeEpochTag() };
  }

  /** The keys of a room and of an owner in it. */
  #keysOf(owner: string, hub: string, room: string) {
    const { counts, leaving, state, of } = this.#keys(hub, room);
    const shared = this.#shared;
    const own = { ownSubjects: of(owner), ownRooms: shared.of(owner) };
    return { counts, leaving, state, due: shared.due, ...own };
  }

  #keys(hub: string, room: string) {
    return presenceKeys(this.#deployment, hub, room);
  }

  get #shared() {
    return sharedPresenceKeys(this.#deployment);
  }
}

/** What `members.lua` returns. */
type MembersReply = [epoch: string, version: number, isSettling: 0 | 1, isKnown: 0 | 1, ...members: string[]];
