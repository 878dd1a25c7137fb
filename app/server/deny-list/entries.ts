/**
 * What is known of one entry. States of the same entry from several places can be merged in any order and again and
 * again: so an instance that comes back brings what the others have lost, and nothing that was lifted meanwhile.
 *
 * Stamps order what was said: whole numbers that only grow, made where it is said. Times are milliseconds of one clock.
 */
export interface EntryState {
  /** Stamp of the newest denial that was not lifted; 0: none. */
  readonly deniedAt: number;
  readonly deniedUntil: number;
  /** Stamp of the newest lift, which ends every denial before it; 0: none. */
  readonly liftedAt: number;
  /** Until then someone could still hold a denial from before the lift. */
  readonly liftedUntil: number;
}

export const unsaid: EntryState = { deniedAt: 0, deniedUntil: 0, liftedAt: 0, liftedUntil: 0 };

/** `scripts/change.lua` does the same. */
export function merge(one: EntryState, other: EntryState): EntryState {
  const liftedAt = Math.max(one.liftedAt, other.liftedAt);
  // Two who deny the same mean both: the longer one holds.
  const denials = [one, other].filter(({ deniedAt }) => deniedAt > liftedAt);
  return {
    deniedAt: Math.max(0, ...denials.map((each) => each.deniedAt)),
    deniedUntil: Math.max(0, ...denials.map((each) => each.deniedUntil)),
    liftedAt,
    liftedUntil: Math.max(one.liftedUntil, other.liftedUntil),
  };
}

function isDenied({ deniedUntil }: EntryState, now: number): boolean {
  return deniedUntil > now;
}

/** Nobody can hold anything of it any more. */
export function isOver({ deniedUntil, liftedUntil }: EntryState, now: number): boolean {
  return deniedUntil <= now && liftedUntil <= now;
}

/** The same by another clock. @param by milliseconds that it is ahead of this one */
export function shifted(state: EntryState, by: number): EntryState {
  return {
    ...state,
    deniedUntil: state.deniedUntil === 0 ? 0 : state.deniedUntil + by,
    liftedUntil: state.liftedUntil === 0 ? 0 : state.liftedUntil + by,
  };
}

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
