import type { Degraded } from '../../protocol/hub.ts';
import type { Backplane } from '../redis/backplane.ts';
import type { HubRooms } from '../rooms/hub-rooms.ts';
import { roomKeys } from '../rooms/keys.ts';
import { deliverTo } from '../rooms/member.ts';
import type { HubMember } from './member.ts';

export interface DegradationOptions {
  readonly hub: string;
  readonly deployment: string;
  readonly backplane: Backplane;
  /** All that are connected to the hub here, by their ids. */
  readonly members: ReadonlyMap<string, HubMember>;
  readonly rooms: Pick<HubRooms<HubMember>, 'view'>;
}

/** Notifies members of what is degraded: all, or, while some shards of many are away, the rooms on these. */
export class Degradation {
  readonly #options: DegradationOptions;
  readonly #listener = () => this.#changed();
  /** What all were notified of last. */
  #degraded = false;
  /** The rooms whose members know that they are away. */
  #notified: ReadonlySet<string> = new Set();

  constructor(options: DegradationOptions) {
    this.#options = options;
    options.backplane.on('status', this.#listener);
  }

  /** Who connects while nothing can be asked hears so at once; of a room that is away it hears when it joins. */
  greet(member: HubMember): void {
    const { backplane } = this.#options;
    if (backplane.status === 'degraded' && !this.#isPartial) member.send('degraded', { degraded: true });
  }

  close(): void {
    this.#options.backplane.off('status', this.#listener);
  }

  /** Some shards are as they should be, and others are not. */
  get #isPartial(): boolean {
    const { status, shards } = this.#options.backplane;
    return status === 'degraded' && shards.some((shard) => shard.status === 'joined');
  }

  #changed(): void {
    const { backplane } = this.#options;
    const isPartial = this.#isPartial;
    this.#notifyRooms(isPartial ? this.#roomsAway() : new Set());
    const degraded = !isPartial && backplane.status !== 'joined';
    if (degraded === this.#degraded) return;
    this.#degraded = degraded;
    const payload: Degraded = { degraded };
    deliverTo(this.#options.members.values(), (format) => format.event('degraded', payload));
  }

  #roomsAway(): Set<string> {
    const { hub, deployment, backplane, rooms } = this.#options;
    const isAway = (name: string) => !backplane.isWhole(roomKeys(deployment, hub, name).channel);
    return new Set(Array.from(rooms.view(), ({ name }) => name).filter(isAway));
  }

  #notifyRooms(away: ReadonlySet<string>): void {
    const before = this.#notified;
    this.#notified = away;
    this.#notify(
      [...away].filter((room) => !before.has(room)),
      true,
    );
    this.#notify(
      [...before].filter((room) => !away.has(room)),
      false,
    );
  }

  /** One event for a member, whatever number of its rooms it is about. */
  #notify(names: readonly string[], degraded: boolean): void {
    if (names.length === 0) return;
    const wanted = new Set(names);
    const byMember = new Map<HubMember, string[]>();
    for (const { name, members } of this.#options.rooms.view()) {
      if (!wanted.has(name)) continue;
      for (const member of members) byMember.set(member, [...(byMember.get(member) ?? []), name]);
    }
    for (const [member, rooms] of byMember) member.send('degraded', { degraded, rooms } satisfies Degraded);
  }
}
