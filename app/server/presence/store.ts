import type { PresencePosition } from '../../protocol/hub.ts';

/** Who came to a room through one owner, and who left it. */
export interface Change {
  readonly owner: string;
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Where it stands; `members` is absent where the caller has it already. */
export interface Members extends PresencePosition {
  readonly members?: readonly string[];
}

/** Tells a room's members on all instances an event that is not kept. */
export type BroadcastEvent = (room: string, event: string, payload: unknown) => void;

export interface HubPresenceOptions {
  readonly hub: string;
  readonly broadcast: BroadcastEvent;
  /** How long after its last socket a subject's leave is published, in milliseconds. */
  readonly graceMs: number;
}

/** Redis came back empty, and not every instance has registered who is there. */
export class UnsettledError extends Error {
  override readonly name = 'UnsettledError';

  constructor() {
    super('Redis came back empty, and instances still register who is there');
  }
}

/** Who is in the rooms of one hub, over all instances. All of it may be repeated without harm. */
export interface HubPresence {
  /**
   * Registers a change, and publishes who is new; who left is published by `publishDue`.
   * @returns false where the owner is known to be dead: nothing was written
   * @throws Error while the store is away
   */
  change(room: string, change: Change): Promise<boolean>;
  /** The subjects that an owner has registered in a room. @throws Error while the store is away */
  registered(room: string, owner: string): Promise<string[]>;
  /**
   * An empty `epoch` where nobody has ever been registered.
   * @throws UnsettledError, and Error while the store is away
   */
  members(room: string, known?: PresencePosition): Promise<Members>;
  /** Publishes the leaves that are due, of all hubs. @throws Error while the store, or a part of it, is away */
  publishDue(): Promise<void>;
  /**
   * Takes back all that an owner registered: in this hub, what was registered here; or in all hubs, for who sees a death
   * may not have each of them.
   * @throws Error while the store, or a part of it, is away: the rest is done
   */
  release(owner: string, graceMs: number, hubs: 'own' | 'all'): Promise<void>;
}

export type MayLack = (hub: string, room: string) => boolean;

/** Where presence is kept: one for a service, opened once for each hub. */
export interface PresenceStore {
  open(options: HubPresenceOptions): HubPresence;
  /**
   * `handler` is called each time the store, or a part of it, is there again: rooms for which `mayLack` is true may lack
   * what was registered. @returns ends it
   */
  onReturn(handler: (mayLack: MayLack) => void): () => void;
}

/** Subjects of a room that are kept; more are in it and not shown. */
export const mostMembers = 10_000;
/** Subjects in one call: a script holds up everybody else. */
export const mostAtOnce = 500;
/** Subjects in one difference. */
export const mostAnnounced = 1_000;
