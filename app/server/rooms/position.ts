import { randomBytes } from 'node:crypto';

/** A place in a room's log: the message that was seen last. Offsets start at 1; 0 is before the first. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A new epoch, 72 random bits: a room that expired and came back can't pass for the old one. */
export function makeEpoch(): string {
  return randomBytes(9).toString('base64url');
}
