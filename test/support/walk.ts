import type { Message, Position } from '../../app/protocol/hub.ts';
import { isTrimmed, placeIn, placeOf, type RoomHistory } from './room-history.ts';

/** What one client, or all of a kind, made of a log. */
export interface Tally {
  /** In the log at the end, behind the client's join. */
  expected: number;
  delivered: number;
  /** In the log behind the client's join, never delivered, and no loss told in that place. */
  lostUnsaid: number;
  /** Delivered, gone from the log since, and the client was not told behind it. */
  goneUnsaid: number;
  duplicated: number;
  outOfOrder: number;
  /** Losses that were told. */
  told: number;
}

export function emptyTally(): Tally {
  return { expected: 0, delivered: 0, lostUnsaid: 0, goneUnsaid: 0, duplicated: 0, outOfOrder: 0, told: 0 };
}

/**
 * Walks along the log and what a client was told, side by side. A told loss covers what is missing, or gone,
 * in its own place and nowhere else.
 */
export class Walk {
  readonly tally = emptyTally();
  readonly #history: RoomHistory;
  readonly #places = new Set<string>();
  readonly #ids = new Set<string>();
  /** Ids that were delivered, are gone from the log, and were not told of yet. */
  #gone: string[] = [];
  /** A loss was told since the last message that stands in the log. */
  #told = false;
  /** Index of the entry that comes next. */
  #next: number;

  constructor(history: RoomHistory, from: Position | undefined) {
    this.#history = history;
    this.#next = from ? placeIn(history, from) : 0;
    this.tally.expected = history.entries.length - this.#next;
  }

  lost(): void {
    this.tally.told += 1;
    this.#told = true;
    // Who never had an answer to one of these publishes it once more: that is no repeat of what is gone.
    for (const id of this.#gone.splice(0)) this.#ids.delete(id);
  }

  delivered(message: Message): void {
    this.tally.delivered += 1;
    if (this.#isRepeat(message)) return;
    if (isTrimmed(this.#history, message)) return;
    const index = this.#history.places.get(placeOf(message));
    if (index === undefined) this.#gone.push(message.id);
    else this.#reached(index);
  }

  /** The client was there to the end of the log. */
  end(): void {
    this.#reached(this.#history.entries.length);
  }

  #isRepeat(message: Message): boolean {
    const place = `${message.epoch} ${message.offset}`;
    const isSamePlace = this.#places.has(place);
    if (isSamePlace || this.#ids.has(message.id)) this.tally.duplicated += 1;
    this.#places.add(place);
    this.#ids.add(message.id);
    return isSamePlace;
  }

  #reached(index: number): void {
    if (index < this.#next) this.tally.outOfOrder += 1;
    if (!this.#told) this.tally.lostUnsaid += Math.max(0, index - this.#next);
    this.tally.goneUnsaid += this.#gone.splice(0).length;
    this.#told = false;
    this.#next = Math.max(this.#next, index + 1);
  }
}
