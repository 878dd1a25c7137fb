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

export function isDenied({ deniedUntil }: EntryState, now: number): boolean {
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
