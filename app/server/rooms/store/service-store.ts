import type { Backplane } from '../../redis/backplane.ts';
import type { Retention } from '../log/retention.ts';
import { openMemoryStore, openRedisStore, type RoomStore } from './store.ts';
import { openSwitchingStore } from './switching-store.ts';

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
