import { type EntryState, isDenied, isOver, merge, unsaid } from './entry-state.ts';

/** Milliseconds in which denials are gathered: each round looks at every connection once. */
const gatherMs = 50;

type Handler = (entries: ReadonlySet<string>) => void;

/**
 * What one instance knows of all entries. Its times are those of a monotonic clock: neither a clock that is set, nor
 * one that differs from the others', ends anything early.
 */
export class Entries {
  readonly #states = new Map<string, EntryState>();
  readonly #handlers: Handler[] = [];
  #denied = new Set<string>();
  #gathering: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#states.size;
  }

  /** Milliseconds of its clock. */
  now(): number {
    return performance.now();
  }

  get(entry: string): EntryState {
    return this.#states.get(entry) ?? unsaid;
  }

  denies(entry: string): boolean {
    const state = this.#states.get(entry);
    return state !== undefined && isDenied(state, this.now());
  }

  onDenied(handler: Handler): void {
    this.#handlers.push(handler);
  }

  /** Adds what is known elsewhere; a denial that is new here is passed on to the handlers. */
  take(entry: string, said: EntryState): EntryState {
    const before = this.get(entry);
    const state = merge(before, said);
    const now = this.now();
    if (isOver(state, now)) this.#states.delete(entry);
    else this.#states.set(entry, state);
    const isNew = state.deniedAt > before.deniedAt || !isDenied(before, now);
    if (isNew && isDenied(state, now)) this.#notify(entry);
    return state;
  }

  /** All that someone could still have to know; what is over is forgotten. */
  *current(): Iterable<[entry: string, state: EntryState]> {
    const now = this.now();
    for (const [entry, state] of this.#states) {
      if (isOver(state, now)) this.#states.delete(entry);
      else yield [entry, state];
    }
  }

  forgetOver(): void {
    for (const _ of this.current());
  }

  close(): void {
    clearTimeout(this.#gathering);
  }

  #notify(entry: string): void {
    this.#denied.add(entry);
    this.#gathering ??= setTimeout(() => {
      const denied = this.#denied;
      this.#gathering = undefined;
      this.#denied = new Set();
      for (const handler of this.#handlers) handler(denied);
    }, gatherMs);
  }
}
