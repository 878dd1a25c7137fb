import type { Message, Position } from '../protocol/hub.ts';

interface Entry extends Position {
  /** The newest epoch of the log that is known to hold it. */
  readonly holder: string;
  /** The log was asked about it since the newest epoch of these. */
  readonly isSeen: boolean;
}

/**
 * What was acknowledged to this client: the highest publish of each epoch, oldest first.
 *
 * One of each epoch, because a failover may lose an epoch's end while the next one's answers come in: the
 * newest alone would hide the one that is gone.
 */
export class Acknowledged {
  #entries: readonly Entry[] = [];

  add({ epoch, offset }: Position): void {
    const known = this.#entries.find((entry) => entry.epoch === epoch);
    if (known && known.offset >= offset) return;
    const others = this.#entries.filter((entry) => entry !== known);
    // What was seen before there was another epoch says nothing of a failover in between.
    const seen = known ? others : others.map((entry) => ({ ...entry, isSeen: false }));
    this.#set([...seen, { epoch, offset, holder: epoch, isSeen: false }]);
  }

  /** Whether something that was acknowledged may be gone, for a client that is in this epoch. */
  isInDoubt(epoch: string): boolean {
    return this.#entries.some(({ holder }) => holder !== epoch);
  }

  /** The one to ask the log about. @param epoch that this client is in */
  toAsk(epoch: string | undefined): Position | undefined {
    const entry =
      this.#entries.find(({ isSeen }) => !isSeen) ??
      this.#entries.find(({ holder }) => holder !== epoch) ??
      this.#entries.at(-1);
    return entry && { epoch: entry.epoch, offset: entry.offset };
  }

  /** The log answered, in its epoch of now, for the one that was asked about. */
  answered(asked: Position, epoch: string, isStill: boolean): void {
    const isAsked = (entry: Entry) => entry.epoch === asked.epoch && entry.offset <= asked.offset;
    const kept = isStill ? this.#entries : this.#entries.filter((entry) => !isAsked(entry));
    this.#set(kept.map((entry) => (isAsked(entry) ? { ...entry, holder: epoch, isSeen: true } : entry)));
  }

  /** Whether a new epoch that starts there holds all that was acknowledged. */
  allows({ epoch, prev }: Message): boolean {
    return this.#entries.every((entry) => entry.holder === epoch || isHeldUpTo(entry, prev));
  }

  /** A message was delivered that says where its epoch starts. */
  continued({ epoch, prev }: Message): void {
    this.#set(this.#entries.map((entry) => (isHeldUpTo(entry, prev) ? { ...entry, holder: epoch } : entry)));
  }

  /** Of those that one epoch holds the highest is enough: it is the first to go. */
  #set(entries: readonly Entry[]): void {
    const isBelow = (one: Entry, other: Entry) => one.holder === other.holder && one.offset < other.offset;
    this.#entries = entries.filter((entry) => !entries.some((other) => isBelow(entry, other)));
  }
}

function isHeldUpTo({ holder, offset }: Entry, end: Position | undefined): boolean {
  return holder === end?.epoch && offset <= end.offset;
}
