import { randomBytes } from 'node:crypto';

/**
 * Who lives. What belongs to one instance for as long as it lives (who is present through it, an answer that
 * it is writing) is kept under its owner's name, and taken back by others when its lease has ended.
 */
export interface Leases {
  /**
   * This instance's name as an owner: its instance id and a random part for each start, `app-1~3f9c…`. Where its lease was
   * ended it has another one, `app-1~3f9c….1`: to be read anew at each use.
   */
  readonly owner: string;
  /** The lease of that name stands, as far as is known. What is registered without one nobody would ever take back. */
  readonly isHeld: boolean;
  /**
   * `handler` is called, on some instance that lives, for each owner whose lease has ended; again, anywhere,
   * until one call has resolved: it must be idempotent. An instance that was silent too long and lives may be
   * told of its own earlier name.
   *
   * An instance registers all of its handlers in one turn: it takes what is dead as soon as it has one.
   * @returns ends it
   */
  onExpired(handler: (owner: string) => Promise<void>): () => void;
  /**
   * This instance's lease was ended by others, because it was silent too long or because Redis lost it, and it has
   * another name with a lease of its own: what it owned is taken back, and must be registered again or given up.
   * @returns ends it
   */
  onRenewed(handler: () => void): () => void;
  /** Gives the lease back, for a tidy end: the others handle it as that of a dead owner, without the wait. */
  close(): Promise<void>;
}

/** An instance that starts anew is another owner: what the one before owned is not its own. */
export function makeOwner(instance: string): string {
  return `${instance}~${randomBytes(6).toString('hex')}`;
}

/** The next name of an instance that goes on. */
export function nextOwner(owner: string): string {
  const start = startOf(owner);
  return `${start}.${Number(owner.slice(start.length + 1)) + 1}`;
}

/** What all names of an instance have in common, from its start to its end. */
export function startOf(owner: string): string {
  return owner.replace(/\.\d+$/, '');
}

/** Leases without others: nobody else ever dies, and this one's is never ended. */
export function openMemoryLeases(instance = 'alone'): Leases {
  const nothingToEnd = () => undefined;
  return {
    owner: makeOwner(instance),
    isHeld: true,
    onExpired: () => nothingToEnd,
    onRenewed: () => nothingToEnd,
    close: async () => undefined,
  };
}
