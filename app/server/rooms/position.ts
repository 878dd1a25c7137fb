import { randomBytes } from 'node:crypto';

/** A place in a room's log: the message that was seen last. Offsets start at 1; 0 is before the first. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

const processPart = randomBytes(9).toString('base64url');
let made = 0;

/**
 * A new epoch: a room that expired and came back can't pass for the old one. 72 random bits of the process
 * and a count: one is offered with every append, and random bytes for each cost more than the rest of it.
 */
export function makeEpoch(): string {
  made += 1;
  return processPart + made.toString(36);
}
