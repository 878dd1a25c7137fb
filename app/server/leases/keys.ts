import { hashTag, redisName } from '../redis/keys.ts';

/** Names in Redis, in one slot. */
export interface LeaseKeys {
  /** Sorted set of owners by the end of their lease, in the server's milliseconds. */
  readonly owners: string;
  /** Sorted set of owners whose lease has ended, by when they may be handed out (again) to be handled. */
  readonly dead: string;
  /** Hash: `last` beat of anybody, `quiet` until when nobody is swept, `since` when the first beat found nothing. */
  readonly beat: string;
}

export function leaseKeys(deployment: string): LeaseKeys {
  const base = redisName(deployment, 'leases', hashTag('all'));
  return { owners: `${base}:owners`, dead: `${base}:dead`, beat: `${base}:beat` };
}
