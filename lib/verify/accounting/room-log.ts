import type { Message, Position } from '../../../app/protocol/hub.ts';

type Entry = Pick<Message, 'epoch' | 'offset' | 'id'>;

/** The content of one room's log at the end, to compare deliveries with. */
export class RoomLog {
  readonly entries: readonly Entry[];
  /** Each epoch with its last offset. */
  readonly ends: ReadonlyMap<string, number>;
  /** Each entry's key with its index. */
  readonly #indices: ReadonlyMap<string, number>;

  /** @param epochs each epoch, in order, with the last offset before it */
  constructor(
    entries: readonly Entry[],
    epochs: readonly { readonly epoch: string; readonly after: number }[],
    head: number,
  ) {
    this.entries = entries;
    this.ends = new Map(epochs.map(({ epoch }, index) => [epoch, epochs[index + 1]?.after ?? head]));
    this.#indices = new Map(entries.map((entry, index) => [keyOf(entry), index]));
  }

  /** Undefined: it is not in the log. */
  indexOf(entry: Entry): number | undefined {
    return this.#indices.get(keyOf(entry));
  }

  /** Index of the first entry after a position. 0 if the position is not of this log. */
  indexBehind({ epoch, offset }: Position): number {
    const end = this.ends.get(epoch);
    if (end === undefined) return 0;
    const reached = Math.min(offset, end);
    const index = this.entries.findIndex((entry) => entry.offset > reached);
    return index < 0 ? this.entries.length : index;
  }

  /** Whether a position is older than the log's first entry. */
  isTrimmed({ epoch, offset }: Position): boolean {
    const end = this.ends.get(epoch);
    const [first] = this.entries;
    return end !== undefined && first !== undefined && offset <= end && offset < first.offset;
  }

  /** Ids that are in the log more than once. */
  get repeats(): number {
    return this.entries.length - new Set(this.entries.map(({ id }) => id)).size;
  }
}

function keyOf({ epoch, offset, id }: Entry): string {
  return `${epoch} ${offset} ${id}`;
}
