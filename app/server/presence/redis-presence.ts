import type { PresencePlace } from '../../protocol/hub.ts';
import { leaseKeys } from '../leases/keys.ts';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { Script } from '../redis/script.ts';
import { makeEpoch } from '../rooms/position.ts';
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
  StoreAwayError,
} from './store.ts';

export interface RedisPresenceOptions {
  readonly links: Pick<BackplaneLinks, 'commands' | 'available'>;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  /** How long what nobody looks after is kept, in milliseconds. @default an hour */
  readonly ageMs?: number;
  /** How long owners have to register again where Redis came back empty, in milliseconds. @default 4,000 */
  readonly settleMs?: number;
}

const scripts = {
  change: script('change'),
  tell: script('tell'),
  due: script('due'),
  release: script('release'),
  members: script('members'),
  registered: script('registered'),
};

/** One instance looks after what is due, this often. */
const dueEveryMs = 1_000;
const mostRoomsDue = 1_000;
const roomsAtOnce = 50;

/** Presence that all instances of a deployment share. Changes are told by the scripts that make them. */
export function openRedisPresence(options: RedisPresenceOptions): PresenceStore {
  const { commands } = options.links;
  return {
    open: (hub) => new RedisPresence(options, hub),
    onReturn: (handler) => {
      commands.on('up', handler);
      return () => commands.off('up', handler);
    },
  };
}

class RedisPresence implements HubPresence {
  readonly #links: RedisPresenceOptions['links'];
  readonly #deployment: string;
  readonly #hub: string;
  readonly #graceMs: number;
  readonly #ageMs: number;
  readonly #settleMs: number;

  constructor(
    { links, deployment, ageMs = 3_600_000, settleMs = 4_000 }: RedisPresenceOptions,
    { hub, graceMs }: HubPresenceOptions,
  ) {
    this.#links = links;
    this.#deployment = deployment;
    this.#hub = hub;
    this.#graceMs = graceMs;
    this.#ageMs = ageMs;
    this.#settleMs = settleMs;
  }

  async change(room: string, { owner, joined, left }: Change): Promise<boolean> {
    const keys = this.#keys(this.#hub, room);
    const shared = this.#shared;
    const leases = leaseKeys(this.#deployment);
    const place = placeOf(this.#hub, room);
    const answer = await scripts.change.run(
      this.#redis(),
      [
        keys.counts,
        keys.leaving,
        keys.state,
        keys.of(owner),
        shared.of(owner),
        shared.due,
        leases.owners,
        leases.beat,
      ],
      [
        ...[owner, place, keys.channel, whisperHead(room), makeEpoch()],
        ...[this.#graceMs, this.#ageMs, mostMembers, this.#settleMs],
        ...[joined.length, ...joined, ...left],
      ],
    );
    return answer === 1;
  }

  async registered(room: string, owner: string): Promise<string[]> {
    const keys = this.#keys(this.#hub, room);
    const { due, of } = this.#shared;
    const all = [keys.counts, keys.leaving, keys.state, keys.of(owner), of(owner), due];
    return (await scripts.registered.run(this.#redis(), all, [this.#ageMs])) as string[];
  }

  async members(room: string, known?: PresencePlace): Promise<Members> {
    const { counts, state } = this.#keys(this.#hub, room);
    const args = [known?.epoch ?? '', known?.version ?? -1];
    const answer = await scripts.members.run(this.#redis(), [counts, state], args);
    const [epoch, version, isSettling, isKnown, ...members] = answer as MembersReply;
    if (isSettling)
      throw new StoreAwayError('Redis came back empty, and instances still register who is there');
    return { epoch, version, ...(isKnown ? {} : { members }) };
  }

  async tellDue(): Promise<void> {
    const { due, beat } = this.#shared;
    const places = await scripts.due.run(this.#redis(), [due, beat], [dueEveryMs, mostRoomsDue]);
    const all = places as string[];
    for (let start = 0; start < all.length; start += roomsAtOnce) {
      await Promise.all(all.slice(start, start + roomsAtOnce).map((place) => this.#tell(place)));
    }
  }

  async release(owner: string, graceMs: number, hubs: 'own' | 'all'): Promise<void> {
    for (const place of await this.#redis().smembers(this.#shared.of(owner))) {
      if (hubs === 'all' || partsOf(place).hub === this.#hub) await this.#releaseRoom(place, owner, graceMs);
    }
  }

  async #releaseRoom(place: string, owner: string, graceMs: number): Promise<void> {
    const { hub, room } = partsOf(place);
    const keys = this.#keys(hub, room);
    const { due, of } = this.#shared;
    const all = [keys.counts, keys.leaving, keys.of(owner), of(owner), due];
    for (let rest = 1; rest > 0; ) {
      const args = [place, graceMs, this.#ageMs, mostAtOnce];
      rest = (await scripts.release.run(this.#redis(), all, args)) as number;
    }
  }

  async #tell(place: string): Promise<void> {
    const { hub, room } = partsOf(place);
    const { counts, leaving, state, channel } = this.#keys(hub, room);
    const args = [place, channel, whisperHead(room), makeEpoch(), this.#ageMs, mostTold];
    await scripts.tell.run(this.#redis(), [counts, leaving, state, this.#shared.due], args);
  }

  #redis() {
    const redis = this.#links.commands.connection;
    if (!redis || !this.#links.available()) throw new StoreAwayError('Redis is away');
    return redis;
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

/** The feed's format of a whisper, up to where the script goes on. */
function whisperHead(room: string): string {
  return `!{"kind":"event","event":"presence","payload":{"room":${JSON.stringify(room)},`;
}

function script(name: string): Script {
  return new Script(new URL(`./scripts/${name}.lua`, import.meta.url));
}
