import type { PresenceChange, PresencePosition } from '../../protocol/hub.ts';
import { makeEpochTag } from '../rooms/log/position.ts';
import {
  type Change,
  type HubPresence,
  type HubPresenceOptions,
  type Members,
  mostMembers,
  type PresenceStore,
} from './store.ts';

/** Presence of this process alone. */
export function openMemoryPresence(): PresenceStore {
  return {
    open: (options) => new MemoryPresence(options),
    onReturn: () => () => undefined,
  };
}

interface RoomState {
  readonly epoch: string;
  version: number;
  /** Subject -> the owners through which it is in the room; none while its leave is not published yet. */
  readonly owners: Map<string, Set<string>>;
  /** Subject -> when its leave is published. */
  readonly leaving: Map<string, number>;
}

class MemoryPresence implements HubPresence {
  readonly #options: HubPresenceOptions;
  readonly #rooms = new Map<string, RoomState>();

  constructor(options: HubPresenceOptions) {
    this.#options = options;
  }

  async change(room: string, { owner, joined, left }: Change): Promise<boolean> {
    const state = this.#rooms.get(room) ?? newRoom();
    this.#rooms.set(room, state);
    const isNew = (subject: string) => !state.owners.has(subject);
    const fresh = joined.filter(isNew).slice(0, mostMembers - state.owners.size);
    for (const subject of fresh) state.owners.set(subject, new Set());
    for (const subject of joined) {
      state.owners.get(subject)?.add(owner);
      if (state.owners.has(subject)) state.leaving.delete(subject);
    }
    for (const subject of left) leave(state, subject, owner, this.#options.graceMs);
    this.#publish(room, state, fresh, []);
    return true;
  }

  async registered(room: string, owner: string): Promise<string[]> {
    const entries = this.#rooms.get(room)?.owners ?? [];
    return [...entries].filter(([, owners]) => owners.has(owner)).map(([subject]) => subject);
  }

  async members(room: string, known?: PresencePosition): Promise<Members> {
    const { epoch, version, owners } = this.#rooms.get(room) ?? { epoch: '', version: 0, owners: new Map() };
    if (known?.epoch === epoch && known.version === version) return { epoch, version };
    return { epoch, version, members: [...owners.keys()] };
  }

  async publishDue(): Promise<void> {
    const now = Date.now();
    for (const [room, state] of this.#rooms) {
      const gone = [...state.leaving].filter(([, due]) => due <= now).map(([subject]) => subject);
      for (const subject of gone) {
        state.leaving.delete(subject);
        state.owners.delete(subject);
      }
      this.#publish(room, state, [], gone);
      if (state.owners.size === 0) this.#rooms.delete(room);
    }
  }

  async release(owner: string, graceMs: number): Promise<void> {
    for (const state of this.#rooms.values()) {
      for (const subject of state.owners.keys()) leave(state, subject, owner, graceMs);
    }
  }

  #publish(room: string, state: RoomState, joined: string[], left: string[]): void {
    if (joined.length + left.length === 0) return;
    state.version += 1;
    const change: PresenceChange = { room, epoch: state.epoch, version: state.version, joined, left };
    this.#options.broadcast(room, 'presence', change);
  }
}

function newRoom(): RoomState {
  return { epoch: makeEpochTag(), version: 0, owners: new Map(), leaving: new Map() };
}

function leave({ owners, leaving }: RoomState, subject: string, owner: string, graceMs: number): void {
  const through = owners.get(subject);
  if (through?.delete(owner) && through.size === 0) leaving.set(subject, Date.now() + graceMs);
}
