import type { Position } from './position.ts';

/**
 * What epochs say, as `scripts/epochs.lua` says it in Redis.
 *
 * An epoch's name starts with the time at which it was made: `<milliseconds in base 36>.<tag>`. Of two that nothing
 * else relates it tells which is later. A room without messages has no epoch of its own, and nothing is kept of it:
 * its position is named by the time at which it was taken, `~<milliseconds>`, or `~<milliseconds>.<tag>` where a log in
 * memory was asked.
 */

export function nameEpoch(madeAt: number, tag: string): string {
  return `${madeAt.toString(36)}.${tag}`;
}

/** Names the position in a room without messages. @param tag of the log in memory that was asked */
export function nameEmpty(at: number, tag: string): string {
  return `~${nameEpoch(at, tag)}`;
}

export function isEmpty(epoch: string): boolean {
  return epoch[0] === '~';
}

/** When an epoch was made, or found empty, in milliseconds since 1970; undefined for a name that does not say. */
export function madeAt(epoch: string): number | undefined {
  // Eight digits are the years 1972 to 2059.
  const [, empty, made] = /^(?:~([0-9a-z]{8})(?:\.|$)|([0-9a-z]{8})\.)/.exec(epoch) ?? [];
  const time = empty ?? made;
  return time === undefined ? undefined : Number.parseInt(time, 36);
}

/** The same place, though a room without messages was asked at another time. */
export function isSame(one: Position, other: Position): boolean {
  if (one.offset !== other.offset) return false;
  return one.epoch === other.epoch || (isEmpty(one.epoch) && isEmpty(other.epoch));
}

/** Nothing lies between: the second is the message behind the first, of its epoch or the first of all. */
export function follows(cursor: Position, position: Position): boolean {
  if (position.offset !== cursor.offset + 1) return false;
  return position.epoch === cursor.epoch || isEmpty(cursor.epoch);
}

/**
 * A room was without messages at both times, and the second position was not taken before the first: whoever has it
 * has missed nothing up to where the first one is followed.
 */
export function wasEmptyBy(first: Position, later: Position): boolean {
  if (!isEmpty(first.epoch) || !isEmpty(later.epoch) || first.offset !== later.offset) return false;
  if (tagOf(first.epoch) !== tagOf(later.epoch)) return false;
  const [from, at] = [madeAt(first.epoch), madeAt(later.epoch)];
  return from !== undefined && at !== undefined && from <= at;
}

/** Of the log that made it or was asked: two logs' epochs have nothing to do with each other. */
function tagOf(epoch: string): string {
  return epoch.slice(epoch.indexOf('.') + 1 || epoch.length);
}

/**
 * Before the first message of an epoch stands only who asks for what was there before it came. To anyone else what a
 * visible offset hides is lost: it would have heard that live.
 */
export function isNewcomer(since: Position, head: Position, firstVisible: number): boolean {
  return since.offset === 0 && since.epoch === head.epoch && firstVisible <= head.offset + 1;
}
