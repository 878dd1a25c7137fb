import type { BackplaneLinks } from '../redis/backplane.ts';
import type { RoomFeed } from './feed.ts';
import { defaultBounds, type LogBounds, type RoomLog } from './log.ts';
import { MemoryFeed } from './memory-feed.ts';
import { MemoryLog } from './memory-log.ts';
import { RedisFeed } from './redis-feed.ts';
import { RedisLog } from './redis-log.ts';
import { ReplicaAcks } from './replica-acks.ts';

export interface HubOptions {
  readonly hub: string;
  /** What goes before a message to make it a packet of the hub's namespace. */
  readonly prefix: string;
  readonly acks: Acks;
}

/**
 * When a publish is acknowledged: once the primary has it, or once a replica has it too, so that no failover
 * loses it.
 */
export type Acks = 'primary' | 'replica';

/** Where rooms are kept: one for a service, opened once for each hub. */
export interface RoomStore {
  open(hub: HubOptions): { readonly log: RoomLog; readonly feed: RoomFeed };
}

export interface RedisStoreOptions {
  readonly links: BackplaneLinks;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  readonly bounds?: Partial<LogBounds>;
}

/** Rooms that all instances of a deployment share. */
export function openRedisStore({ links, deployment, bounds }: RedisStoreOptions): RoomStore {
  let replicaAcks: ReplicaAcks | undefined;
  const openReplicaAcks = () => {
    replicaAcks ??= new ReplicaAcks(links.open('acks'), `${deployment}:acks`);
    return replicaAcks;
  };
  return {
    open: ({ hub, prefix, acks }) => ({
      log: new RedisLog({
        links,
        deployment,
        hub,
        packetPrefix: prefix,
        bounds: { ...defaultBounds, ...bounds },
        ...(acks === 'replica' ? { acks: openReplicaAcks() } : {}),
      }),
      feed: new RedisFeed({
        channels: links.channels,
        deployment,
        hub,
        publish: async (channel, payload) => {
          const redis = links.commands.connection;
          if (!redis || !links.available()) throw new Error('Redis is away');
          return redis.publish(channel, payload);
        },
      }),
    }),
  };
}

/** The same contract for as long as this process lives, for it alone. */
export function openMemoryStore(bounds: Partial<LogBounds> = {}): RoomStore {
  return {
    open: ({ prefix }) => {
      const feed = new MemoryFeed(prefix);
      const log = new MemoryLog({
        bounds: { ...defaultBounds, ...bounds },
        onAppend: (room, position, message) => feed.publish(room, position, message),
      });
      return { log, feed };
    },
  };
}
