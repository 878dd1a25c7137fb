import type { Message, Position } from '../../protocol/hub.ts';

interface Entry extends Position {
  /** The newest epoch of the log that is known to contain it. */
  readonly holder: string;
  /** Whether the log was asked about it since the newest epoch of all entries. */
  readonly isSeen: boolean;
}

/**
 * The publishes that were acknowledged to this client: the highest of each epoch, oldest first.
 *
 * One for each epoch, because a failover may lose the end of an epoch while replies of the next one arrive. The newest
 * alone would hide the lost one.
 */
export class Acknowledged {
  #entries: readonly Entry[] = [];

  add({ epoch, offset }: Position): void {
    const known = this.#entries.find((entry) => entry.epoch === epoch);
    if (known && known.offset >= offset) return;
    const others = this.#entries.filter((entry) => entry !== known);
    // A check before the new epoch says nothing about a failover in between.
    const seen = known ? others : others.map((entry) => ({ ...entry, isSeen: false }));
    this.#set([...seen, { epoch, offset, holder: epoch, isSeen: false }]);
  }

  /** Whether something that was acknowledged may be lost, for a client that is in this epoch. */
  isInDoubt(epoch: string): boolean {
    return this.#entries.some(({ holder }) => holder !== epoch);
  }

  /** The position to ask the log about. @param epoch that this client is in */
  toAsk(epoch: string | undefined): Position | undefined {
    const entry =
      this.#entries.find(({ isSeen }) => !isSeen) ??
      this.#entries.find(({ holder }) => holder !== epoch) ??
      this.#entries.at(-1);
    return entry && { epoch: entry.epoch, offset: entry.offset };
  }

  /** Call it when the log, in its current epoch, said whether it contains the position that was asked about. */
  replied(asked: Position, epoch: string, isStill: boolean): void {
    const isAsked = (entry: Entry) => entry.epoch === asked.epoch && entry.offset <= asked.offset;
    const kept = isStill ? this.#entries : this.#entries.filter((entry) => !isAsked(entry));
    this.#set(kept.map((entry) => (isAsked(entry) ? { ...entry, holder: epoch, isSeen: true } : entry)));
  }

  /** Whether a new epoch that starts there contains all that was acknowledged. */
  allows({ epoch, prev }: Message): boolean {
    return this.#entries.every((entry) => entry.holder === epoch || isHeldUpTo(entry, prev));
  }

  /** Call it when a message was delivered that says where its epoch starts. */
  continued({ epoch, prev }: Message): void {
    this.#set(this.#entries.map((entry) => (isHeldUpTo(entry, prev) ? { ...entry, holder: epoch } : entry)));
  }

  /** Of the entries that one epoch contains, the highest is enough: it would be lost first. */
  #set(entries: readonly Entry[]): void {
    const isBelow = (one: Entry, other: Entry) => one.holder === other.holder && one.offset < other.offset;
    this.#entries = entries.filter((entry) => !entries.some((other) => isBelow(entry, other)));
  }
}

function isHeldUpTo({ holder, offset }: Entry, end: Position | undefined): boolean {
  return holder === end?.epoch && offset <= end.offset;
}
