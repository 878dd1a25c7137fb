import type { Message, Position } from '../protocol/hub.ts';

interface Entry extends Position {
  /** The epoch of the log that was last seen to hold it. */
  readonly keptIn?: string;
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
    const others = this.#entries.filter((entry) => entry !== known && !isKept(entry));
    // What was seen before there was another epoch says nothing of a failover in between.
    this.#entries = [...(known ? others : others.map(unseen)), { epoch, offset }];
  }

  /** Whether something was acknowledged in another epoch than this one, and may be gone. */
  isInDoubt(epoch: string): boolean {
    return this.#doubtful(epoch) !== undefined;
  }

  /** The one to ask the log about. @param epoch that this client is in */
  toAsk(epoch: string | undefined): Position | undefined {
    const neverAsked = this.#entries.find((entry) => entry.keptIn === undefined);
    const entry = neverAsked ?? this.#doubtful(epoch) ?? this.#entries.at(-1);
    return entry && { epoch: entry.epoch, offset: entry.offset };
  }

  /** The log answered, in its epoch of now, for the one that was asked about. */
  answered(asked: Position, epoch: string, isStill: boolean): void {
    if (isStill) this.#keep(epoch, asked);
    else this.#entries = this.#entries.filter((entry) => !isWithin(entry, asked));
  }

  /** Whether a new epoch that starts there can hold all that was acknowledged. */
  allows({ epoch, prev }: Message): boolean {
    return this.#entries.every((entry) => isKept(entry) || entry.epoch === epoch || isWithin(entry, prev));
  }

  /** A message was delivered that says where its epoch starts. */
  continued({ epoch, prev }: Message): void {
    this.#keep(epoch, prev);
  }

  #doubtful(epoch: string | undefined): Entry | undefined {
    return this.#entries.find((entry) => !isKept(entry) && entry.epoch !== epoch);
  }

  #keep(epoch: string, upTo: Position | undefined): void {
    this.#entries = this.#entries.map((entry) =>
      isWithin(entry, upTo) ? { ...entry, keptIn: epoch } : entry,
    );
  }
}

function unseen({ epoch, offset }: Entry): Entry {
  return { epoch, offset };
}

/** A later epoch holds it: no failover before that one can have lost it. */
function isKept({ epoch, keptIn }: Entry): boolean {
  return keptIn !== undefined && keptIn !== epoch;
}

function isWithin(position: Position, end: Position | undefined): boolean {
  return end !== undefined && position.epoch === end.epoch && position.offset <= end.offset;
}
