import { randomBytes } from 'node:crypto';

/**
 * Who lives. What belongs to one instance for as long as it lives (who is present through it, an answer that
 * it is writing) is kept under its owner's name, and taken back by others when its lease has ended.
 */
export interface Leases {
  /** This instance's name as an owner: its instance id and a random part for each start, `app-1~3f9c…`. */
  readonly owner: string;
  /**
   * `handler` is called, on some instance that lives, for each owner whose lease has ended; again, anywhere,
   * until one call has resolved: it must be idempotent. An owner that was silent too long and lives may be
   * reported to itself. @returns ends it
   */
  onExpired(handler: (owner: string) => Promise<void>): () => void;
  /**
   * This instance's own lease was ended by others, because it was silent too long or because Redis lost it, and
   * has been taken anew: what it owned must be registered again or given up. The handlers of its death, where
   * it had one, are behind it. @returns ends it
   */
  onRenewed(handler: () => void): () => void;
  /** Gives the lease back, for a tidy end: the others handle it as that of a dead owner, without the wait. */
  close(): Promise<void>;
}

/** An instance that starts anew is another owner: what the one before owned is not its own. */
export function makeOwner(instance: string): string {
  return `${instance}~${randomBytes(6).toString('hex')}`;
}

/** Leases without others: nobody else ever dies, and this one's is never ended. */
export function openMemoryLeases(instance = 'alone'): Leases {
  const nothingToEnd = () => undefined;
  return {
    owner: makeOwner(instance),
    onExpired: () => nothingToEnd,
    onRenewed: () => nothingToEnd,
    close: async () => undefined,
  };
}
