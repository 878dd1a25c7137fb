import type { Logger } from 'pino';
import { availableRedis, faultIn, type RedisAccess } from '../redis/access.ts';
import { NamedScript } from '../redis/script.ts';
import type { AnswerKeys } from './keys.ts';
import type { AnswerLimits, Turn } from './turn.ts';

export interface ReservationsOptions {
  /** Absent in single-instance mode, where the turns in memory are counted. */
  readonly links: RedisAccess | undefined;
  readonly keys: AnswerKeys;
  readonly limits: AnswerLimits;
  readonly log: Logger;
  /** The answers of a subject that are under way on this instance. */
  readonly runningHere: (subject: string) => number;
}

type Reserved = Pick<Turn, 'turn' | 'subject'>;

const reserve = new NamedScript(
  { keys: ['reserved'], args: ['turn', 'most', 'longestMs'] },
  new URL('./scripts/reserve.lua', import.meta.url),
);

/**
 * How many answers a subject has under way, over all rooms: these are in many buckets, and no script sees them all. A
 * turn is reserved before it starts, and given back at its end; one that nobody gives back ends by itself.
 */
export class Reservations {
  readonly #options: ReservationsOptions;

  constructor(options: ReservationsOptions) {
    this.#options = options;
  }

  /** The same turn has one reservation, however often it is asked for. @returns false: the subject has enough */
  async reserve({ turn, subject }: Reserved): Promise<boolean> {
    const { links, keys, limits, log } = this.#options;
    if (!links) return true;
    const reserved = keys.reservedBy(subject);
    const args = { turn, most: limits.runningOfSubject, longestMs: limits.timeMs };
    const redis = availableRedis(links, reserved);
    try {
      if (redis) return (await reserve.run(redis, { reserved }, args)) === 1;
    } catch (error) {
      const fault = faultIn(error as Error);
      if (fault) log.warn({ err: fault }, "a user's answers can't be counted over all instances");
    }
    // Of a shard that is away no other room should suffer: each instance counts its own.
    return this.#options.runningHere(subject) < limits.runningOfSubject;
  }

  /** Never rejects: what could not be given back ends by itself. */
  async giveBack({ turn, subject }: Reserved): Promise<void> {
    const { links, keys } = this.#options;
    const reserved = keys.reservedBy(subject);
    await availableRedis(links, reserved)
      ?.zrem(reserved, turn)
      .catch(() => undefined);
  }
}
