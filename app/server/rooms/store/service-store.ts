import { setTimeout as delay } from 'node:timers/promises';
import type { Backplane } from '../../redis/backplane.ts';
import type { Broadcast } from '../broadcast.ts';
import type { RoomLog, SharedRoomLog } from '../log/log.ts';
import type { Retention } from '../log/retention.ts';
import type { RoomBroker, RoomSubscriber } from '../pubsub/broker.ts';
import {
  type MemoryRoomStore,
  openMemoryStore,
  openRedisStore,
  type RoomStore,
  type SharedRoomStore,
} from './store.ts';

export interface ServiceStoreOptions {
  readonly deployment: string;
  /** What to do while Redis can't be reached. */
  readonly backplane: 'required' | 'preferred';
  /** How much of each room is kept, and for how long. */
  readonly roomLog: Partial<Retention>;
}

/** The store that fits a service's backplane: shared, of this process alone, or one while the other is away. */
export function openServiceStore(backplane: Backplane, options: ServiceStoreOptions): RoomStore {
  const { links } = backplane;
  if (!links) return openMemoryStore(options.roomLog);
  const shared = openRedisStore({ links, deployment: options.deployment, retention: options.roomLog });
  if (options.backplane === 'required') return shared;
  return openSwitchingStore({
    shared,
    alone: openMemoryStore(options.roomLog),
    isReachable: () => backplane.isReachable,
    onChange: (listener) => backplane.on('status', listener),
  });
}

interface SwitchingStoreOptions {
  /** Used while Redis can be reached. */
  readonly shared: SharedRoomStore;
  /** Used while it can't. */
  readonly alone: MemoryRoomStore;
  isReachable(): boolean;
  /** Calls back at each change of `isReachable`, or oftener. */
  onChange(listener: () => void): void;
}

/**
 * Rooms that all instances share while Redis answers, and that this instance keeps alone while it does not.
 *
 * The two have epochs of their own, so at each change the members here are notified that something may be missing: what
 * the other instances said meanwhile. To the members there what was said here is missing: that is announced in each
 * room as soon as it can be.
 */
function openSwitchingStore({ shared, alone, isReachable, onChange }: SwitchingStoreOptions): RoomStore {
  return {
    open: (hub) => {
      const one = shared.open(hub);
      const other = alone.open(hub);
      const losses = new Losses(one.log, isReachable);
      const broker = new SwitchingBroker(one.broker, other.broker);
      let wasReachable = isReachable();
      onChange(() => {
        if (isReachable() === wasReachable) return;
        wasReachable = isReachable();
        if (wasReachable) {
          // What comes next time has epochs that nobody has seen.
          other.log.clear();
          void losses.announce();
        }
        broker.changed();
      });
      const now = () => (wasReachable ? one.log : other.log);
      const counted = async <T extends object>(room: string, append: (log: RoomLog) => Promise<T>) => {
        const log = now();
        const appended = await append(log);
        if (log === other.log && 'repeated' in appended && !appended.repeated) losses.add(room);
        return appended;
      };
      const log: RoomLog = {
        idWindowMs: one.log.idWindowMs,
        append: (request) => counted(request.room, (to) => to.append(request)),
        appendIf: (request, precondition) =>
          counted(request.room, (to) => to.appendIf(request, precondition)),
        read: (request) => now().read(request),
      };
      return { log, broker };
    },
  };
}

const retryMs = 1_000;
const atOnce = 20;

/** What was acknowledged here while this instance was alone, by room. */
class Losses {
  readonly #log: SharedRoomLog;
  readonly #isReachable: () => boolean;
  readonly #counts = new Map<string, number>();
  #announcing = false;

  constructor(log: SharedRoomLog, isReachable: () => boolean) {
    this.#log = log;
    this.#isReachable = isReachable;
  }

  add(room: string): void {
    this.#counts.set(room, (this.#counts.get(room) ?? 0) + 1);
  }

  /** Tries until all of them are announced; what can't be announced while Redis is away again waits for its return. */
  async announce(): Promise<void> {
    if (this.#announcing) return;
    this.#announcing = true;
    while (this.#counts.size > 0 && this.#isReachable()) {
      const some = [...this.#counts].slice(0, atOnce);
      const announced = await Promise.all(some.map(([room, count]) => this.#announceIn(room, count)));
      if (announced.includes(false)) await delay(retryMs);
    }
    this.#announcing = false;
  }

  /** Said twice, where nobody knows whether it was said, does less harm than not at all. */
  async #announceIn(room: string, count: number): Promise<boolean> {
    this.#counts.delete(room);
    try {
      await this.#log.announceLoss(room, count);
      return true;
    } catch {
      this.#counts.set(room, (this.#counts.get(room) ?? 0) + count);
      return false;
    }
  }
}

/** Hears both brokers: only the one whose log is appended to speaks. */
class SwitchingBroker implements RoomBroker {
  readonly #shared: RoomBroker;
  readonly #alone: RoomBroker;
  readonly #subscribers = new Map<string, RoomSubscriber>();

  constructor(shared: RoomBroker, alone: RoomBroker) {
    this.#shared = shared;
    this.#alone = alone;
  }

  /** Another log speaks from now on. */
  changed(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.resubscribed();
  }

  async subscribe(room: string, subscriber: RoomSubscriber): Promise<void> {
    this.#subscribers.set(room, subscriber);
    await Promise.all([this.#shared.follow(room, subscriber), this.#alone.follow(room, subscriber)]);
  }

  follow(room: string, subscriber: RoomSubscriber): Promise<void> {
    return this.subscribe(room, subscriber);
  }

  /** The shared one reaches this instance where Redis is away, too. */
  broadcast(room: string, broadcast: Broadcast): void {
    this.#shared.broadcast(room, broadcast);
  }

  unsubscribe(room: string): void {
    this.#subscribers.delete(room);
    this.#shared.unsubscribe(room);
    this.#alone.unsubscribe(room);
  }
}
