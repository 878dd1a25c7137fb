import type { Message, Position } from '../../../app/protocol/hub.ts';
import type { Delivery, Ledger, Publish, Receiver } from './ledger.ts';

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

/** Checks ledgers against the delivery contract, with the logs of their rooms as they are at the end. */
export interface Audit {
  /** Publishes that were acknowledged. */
  readonly acknowledged: number;
  /** Publishes that ended in an error, by its code. */
  readonly refused: number;
  readonly uncertain: number;
  /** Acknowledged, and not where the acknowledgement says, as far back as the log goes. */
  readonly dropped: number;
  /** Of these: the sender was not notified. */
  readonly droppedUnsaid: number;
  /** Ids that are in the log more than once. */
  readonly appendedTwice: number;
  /** Clients that are notified of losses. */
  readonly client: Statistics;
  /** Plain clients, which are not. */
  readonly plain: Statistics;
}

/** Deliveries of one client, or of all of a kind, compared with the log. */
export interface Statistics {
  /** Messages that are in the log at the end, after the client's join. */
  readonly expected: number;
  readonly delivered: number;
  /**
   * Messages of the log after the client's join that were never delivered, and of which the client was not notified at
   * that place.
   */
  readonly lostUnsaid: number;
  /**
   * Messages that were delivered, are gone from the log since, and of which the client was not notified afterwards.
   */
  readonly goneUnsaid: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Notifications of a loss. */
  readonly notified: number;
}

export const noStatistics: Statistics = {
  expected: 0,
  delivered: 0,
  lostUnsaid: 0,
  goneUnsaid: 0,
  duplicated: 0,
  outOfOrder: 0,
  notified: 0,
};

/** @param logs of the ledgers' rooms, by name */
export function auditDeliveries(ledgers: readonly Ledger[], logs: ReadonlyMap<string, RoomLog>): Audit {
  const audits = ledgers.map((ledger) => auditRoom(ledger, logs.get(ledger.room) as RoomLog));
  const total = (of: (audit: Audit) => number) => audits.reduce((sum, audit) => sum + of(audit), 0);
  return {
    acknowledged: total(({ acknowledged }) => acknowledged),
    refused: total(({ refused }) => refused),
    uncertain: total(({ uncertain }) => uncertain),
    dropped: total(({ dropped }) => dropped),
    droppedUnsaid: total(({ droppedUnsaid }) => droppedUnsaid),
    appendedTwice: total(({ appendedTwice }) => appendedTwice),
    client: audits.map(({ client }) => client).reduce(add, noStatistics),
    plain: audits.map(({ plain }) => plain).reduce(add, noStatistics),
  };
}

function auditRoom(ledger: Ledger, log: RoomLog): Audit {
  const { publishes, receivers } = ledger;
  const dropped = publishes.filter((publish) => isDropped(publish, log));
  const failed = (code: string) => publishes.filter(({ failure }) => failure === code).length;
  const statistics = (isNotified: boolean) =>
    receivers
      .filter((receiver) => receiver.isNotified === isNotified)
      .map((receiver) => compare(receiver, log))
      .reduce(add, noStatistics);
  return {
    acknowledged: ledger.acknowledged,
    refused: failed('refused'),
    uncertain: failed('uncertain'),
    dropped: dropped.length,
    droppedUnsaid: dropped.filter((publish) => !wasNotified(publish, receivers)).length,
    appendedTwice: log.repeats,
    client: statistics(true),
    plain: statistics(false),
  };
}

/** What lies before all that the log holds was trimmed: it may have stood there. */
function isDropped({ id, position }: Publish, log: RoomLog): boolean {
  if (position === undefined || log.isTrimmed(position)) return false;
  return log.indexOf({ ...position, id }) === undefined;
}

/** Or the sender is not in the room any more, and asked for nothing. */
function wasNotified({ sender, at = 0 }: Publish, receivers: readonly Receiver[]): boolean {
  return receivers.some(
    ({ participant, hasLeft, events }) =>
      participant === sender &&
      (hasLeft || events.some((event) => event.kind === 'lost' && event.lost.acked && event.at > at)),
  );
}

function add(one: Statistics, other: Statistics): Statistics {
  const keys = Object.keys(one) as (keyof Statistics)[];
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as unknown as Statistics;
}

function compare({ from, events, hasLeft }: Receiver, log: RoomLog): Statistics {
  const comparison = new Comparison(log, from);
  for (const event of events) {
    if (event.kind === 'lost') comparison.lost();
    else comparison.delivered(event.message);
  }
  if (!hasLeft) comparison.end();
  return comparison.statistics;
}

/**
 * Compares the log and what a client got, side by side. A notification of a loss covers what is missing, or gone, at
 * its own place and nowhere else.
 */
class Comparison {
  readonly statistics: { -readonly [Key in keyof Statistics]: number } = { ...noStatistics };
  readonly #log: RoomLog;
  readonly #positions = new Set<string>();
  readonly #ids = new Set<string>();
  /** Ids that were delivered and are gone from the log, without a notification since. */
  #gone: string[] = [];
  /** Whether the client was notified of a loss since the last message that is in the log. */
  #isNotified = false;
  /** Index of the next entry of the log. */
  #next: number;

  constructor(log: RoomLog, from: Position | undefined) {
    this.#log = log;
    this.#next = from ? log.indexBehind(from) : 0;
    this.statistics.expected = log.entries.length - this.#next;
  }

  lost(): void {
    this.statistics.notified += 1;
    this.#isNotified = true;
    this.#gone = [];
  }

  delivered(message: Delivery): void {
    this.statistics.delivered += 1;
    if (this.#isRepeat(message)) return;
    if (this.#log.isTrimmed(message)) return;
    const index = this.#log.indexOf(message);
    if (index === undefined) this.#gone.push(message.id);
    else this.#reached(index);
  }

  /** Whether the client was in the room until the end of the log. */
  end(): void {
    this.#reached(this.#log.entries.length);
  }

  #isRepeat({ epoch, offset, id }: Delivery): boolean {
    const position = `${epoch} ${offset}`;
    const isSamePosition = this.#positions.has(position);
    if (isSamePosition || this.#ids.has(id)) this.statistics.duplicated += 1;
    this.#positions.add(position);
    this.#ids.add(id);
    return isSamePosition;
  }

  #reached(index: number): void {
    if (index < this.#next) this.statistics.outOfOrder += 1;
    // A sender without a reply publishes again after a loss. A client that has the message must not get it twice.
    const missing = this.#log.entries.slice(this.#next, index).filter(({ id }) => !this.#ids.has(id));
    if (!this.#isNotified) this.statistics.lostUnsaid += missing.length;
    this.statistics.goneUnsaid += this.#gone.splice(0).length;
    this.#isNotified = false;
    this.#next = Math.max(this.#next, index + 1);
  }
}
