import type { Backplane } from '../redis/backplane.ts';
import { openMemoryStore, openRedisStore, type RoomStore } from './store.ts';
import { openSwitchingStore } from './switching-store.ts';

export interface ServiceStoreOptions {
  readonly deployment: string;
  /** What to do while Redis can't be reached. */
  readonly backplane: 'required' | 'preferred';
}

/** The store that fits a service's backplane: shared, of this process alone, or one while the other is away. */
export function openServiceStore(backplane: Backplane, options: ServiceStoreOptions): RoomStore {
  const { links } = backplane;
  if (!links) return openMemoryStore();
  const shared = openRedisStore({ links, deployment: options.deployment });
  if (options.backplane === 'required') return shared;
  return openSwitchingStore({
    shared,
    alone: openMemoryStore(),
    available: () => links.available(),
    onChange: (listener) => backplane.on('status', listener),
  });
}
