import type { FeedListener, RoomFeed, Whisper } from './feed.ts';
import type { RoomLog } from './log.ts';
import type { RoomStore } from './store.ts';

export interface SwitchingStoreOptions {
  /** Used while `shared` is available. */
  readonly shared: RoomStore;
  /** Used while it is not. */
  readonly alone: RoomStore;
  available(): boolean;
  /** Calls back at each change of `available`. */
  onChange(listener: () => void): void;
}

/**
 * Rooms that all instances share while Redis answers, and that this instance keeps alone while it does not.
 *
 * The two have epochs of their own, so at each change the members are told that something may be missing:
 * what the other instances said meanwhile, and to them, what was said here.
 */
export function openSwitchingStore({ shared, alone, available, onChange }: SwitchingStoreOptions): RoomStore {
  return {
    open: (hub) => {
      const one = shared.open(hub);
      const other = alone.open(hub);
      const now = () => (available() ? one : other);
      const log: RoomLog = {
        append: (request) => now().log.append(request),
        appendIf: (request, condition) => now().log.appendIf(request, condition),
        read: (request) => now().log.read(request),
      };
      return { log, feed: new SwitchingFeed(one.feed, other.feed, onChange) };
    },
  };
}

/** Hears both feeds: only the one that is appended to speaks. */
class SwitchingFeed implements RoomFeed {
  readonly #shared: RoomFeed;
  readonly #alone: RoomFeed;
  readonly #listeners = new Map<string, FeedListener>();

  constructor(shared: RoomFeed, alone: RoomFeed, onChange: SwitchingStoreOptions['onChange']) {
    this.#shared = shared;
    this.#alone = alone;
    onChange(() => {
      for (const listener of this.#listeners.values()) listener.resubscribed();
    });
  }

  async subscribe(room: string, listener: FeedListener): Promise<void> {
    this.#listeners.set(room, listener);
    await Promise.all([this.#shared.follow(room, listener), this.#alone.follow(room, listener)]);
  }

  follow(room: string, listener: FeedListener): Promise<void> {
    return this.subscribe(room, listener);
  }

  /** The shared feed tells this instance where Redis is away, too. */
  whisper(room: string, whisper: Whisper): void {
    this.#shared.whisper(room, whisper);
  }

  unsubscribe(room: string): void {
    this.#listeners.delete(room);
    this.#shared.unsubscribe(room);
    this.#alone.unsubscribe(room);
  }
}
