import { assertAvailable } from '../../redis/access.ts';
import type { BackplaneLinks } from '../../redis/backplane.ts';
import type { Shard } from '../../redis/shard.ts';
import type { RoomLog, SharedRoomLog } from '../log/log.ts';
import { MemoryLog } from '../log/memory-log.ts';
import { RedisLog } from '../log/redis-log.ts';
import { ReplicaAcks } from '../log/replica-acks.ts';
import { defaultRetention, type Retention } from '../log/retention.ts';
import { MemoryBroker, type RoomBroker } from '../pubsub/broker.ts';
import { RedisBroker } from '../pubsub/redis-broker.ts';

export interface HubOptions {
  readonly hub: string;
  readonly acks: Acks;
}

/**
 * When a publish is acknowledged: once the primary has it, or once a replica has it too, so that no failover
 * loses it.
 */
export type Acks = 'primary' | 'replica';

/** Where rooms are kept: one for a service, opened once for each hub. */
export interface RoomStore {
  open(hub: HubOptions): { readonly log: RoomLog; readonly broker: RoomBroker };
}

/** Rooms that all instances share. */
export interface SharedRoomStore extends RoomStore {
  open(hub: HubOptions): { readonly log: SharedRoomLog; readonly broker: RoomBroker };
}

export interface RedisStoreOptions {
  readonly links: BackplaneLinks;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  readonly retention?: Partial<Retention>;
}

/** Rooms that all instances of a deployment share. */
export function openRedisStore({ links, deployment, retention }: RedisStoreOptions): SharedRoomStore {
  const acksOf = replicaAcksOf(links);
  return {
    open: ({ hub, acks }) => {
      const broker = new RedisBroker({
        channels: links.channels,
        deployment,
        hub,
        publish: async (channel, payload) => assertAvailable(links, channel).spublish(channel, payload),
      });
      const log = new RedisLog({
        links,
        deployment,
        hub,
        retention: { ...defaultRetention, ...retention },
        onAppend: (room, position, message) => broker.appended(room, position, message),
        ...(acks === 'replica' ? { acksOf } : {}),
      });
      return { log, broker };
    },
  };
}

/** One for each shard, opened when it is asked for first. */
function replicaAcksOf(links: BackplaneLinks): (channel: string) => ReplicaAcks | undefined {
  const opened = new WeakMap<Shard, ReplicaAcks>();
  return (channel) => {
    const shard = links.shardOf(channel);
    if (!shard) return undefined;
    const acks = opened.get(shard) ?? new ReplicaAcks(shard.open('acks'));
    opened.set(shard, acks);
    return acks;
  };
}

/** Rooms of this process alone. */
export interface MemoryRoomStore extends RoomStore {
  open(hub: HubOptions): { readonly log: MemoryLog; readonly broker: RoomBroker };
}

/** The same contract for as long as this process lives, for it alone. */
export function openMemoryStore(retention: Partial<Retention> = {}): MemoryRoomStore {
  return {
    open: () => {
      const broker = new MemoryBroker();
      const log = new MemoryLog({
        retention: { ...defaultRetention, ...retention },
        onAppend: (room, position, message) => broker.publish(room, position, message),
      });
      return { log, broker };
    },
  };
}
