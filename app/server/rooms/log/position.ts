import { randomBytes } from 'node:crypto';

export type { Position } from '../../../protocol/hub.ts';

const processPart = randomBytes(6).toString('base64url');
let made = 0;

/**
 * What makes an epoch another one than all that were made in the same millisecond: 48 random bits of the process
 * and a count. One is offered with every append, and random bytes for each cost more than the rest of it.
 */
export function makeEpochTag(): string {
  made += 1;
  return processPart + made.toString(36);
}
