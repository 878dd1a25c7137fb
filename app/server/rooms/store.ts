import type { BackplaneLinks } from '../redis/backplane.ts';
import type { RoomFeed } from './feed.ts';
import { defaultBounds, type LogBounds, type RoomLog } from './log.ts';
import { MemoryFeed } from './memory-feed.ts';
import { MemoryLog } from './memory-log.ts';
import { RedisFeed } from './redis-feed.ts';
import { RedisLog } from './redis-log.ts';

/** Where rooms are kept: one for a service, opened once for each hub. */
export interface RoomStore {
  /** @param prefix what goes before a message to make it a packet of the hub's namespace */
  open(hub: string, prefix: string): { readonly log: RoomLog; readonly feed: RoomFeed };
}

export interface RedisStoreOptions {
  readonly links: BackplaneLinks;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  readonly bounds?: Partial<LogBounds>;
}

/** Rooms that all instances of a deployment share. */
export function openRedisStore({ links, deployment, bounds }: RedisStoreOptions): RoomStore {
  return {
    open: (hub, prefix) => ({
      log: new RedisLog({
        links,
        deployment,
        hub,
        packetPrefix: prefix,
        bounds: { ...defaultBounds, ...bounds },
      }),
      feed: new RedisFeed(links.channels, deployment, hub),
    }),
  };
}

/** The same contract for as long as this process lives, for it alone. */
export function openMemoryStore(bounds: Partial<LogBounds> = {}): RoomStore {
  return {
    open: (_hub, prefix) => {
      const feed = new MemoryFeed(prefix);
      const log = new MemoryLog({
        bounds: { ...defaultBounds, ...bounds },
        onAppend: (room, position, message) => feed.publish(room, position, message),
      });
      return { log, feed };
    },
  };
}
