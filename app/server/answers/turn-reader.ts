import type { Redis } from 'ioredis';
import { assertAvailable, availableRedis, type RedisAccess } from '../redis/access.ts';
import { askBuckets, type Settled } from '../redis/settled.ts';
import { type AnswerKeys, fromJsonInside } from './keys.ts';
import type { MemoryTurns } from './memory-turns.ts';
import { bucketOfTurn, type Exchange, type Turn, type TurnState } from './turn.ts';

export interface TurnReaderOptions {
  /** Absent in single-instance mode. */
  readonly links: RedisAccess | undefined;
  readonly keys: AnswerKeys;
  readonly memory: MemoryTurns;
}

/** Reads what the conditions have written: in Redis, or where that is away or absent, in memory. */
export class TurnReader {
  readonly #options: TurnReaderOptions;

  constructor(options: TurnReaderOptions) {
    this.#options = options;
  }

  /** @throws RedisAwayError when this process does not know the turn */
  async find(turn: string): Promise<(Turn & { readonly state: TurnState }) | undefined> {
    const { links, keys, memory } = this.#options;
    const kept = memory.find(turn);
    if (kept || !links || !bucketOfTurn(turn)) return kept;
    const key = keys.turn(turn);
    const fields = await this.#redis(key).hmget(key, 'owner', 'room', 'subject', 'state');
    const [owner, room, subject, state] = fields;
    if (!owner || !room || !subject || !state) return undefined;
    return { turn, owner, room, subject, state: state as TurnState };
  }

  /** What was said of a turn's answer. @throws RedisAwayError when this process does not know the turn */
  async textOf(turn: string): Promise<string | undefined> {
    const { links, keys, memory } = this.#options;
    const kept = memory.find(turn);
    if (kept || !links) return kept?.text;
    const key = keys.text(turn);
    const text = await this.#redis(key).get(key);
    return text === null ? undefined : fromJsonInside(text);
  }

  /** Turns under way of an owner. */
  async ownedBy(owner: string): Promise<Settled<string>> {
    const { links, keys } = this.#options;
    if (!links) return { answers: [], fault: undefined };
    const { answers, fault } = await askBuckets(async (bucket) => {
      const key = keys.ownedBy(owner, bucket);
      return this.#redis(key).zrangebyscore(key, '-inf', '+inf');
    });
    return { answers: answers.flat(), fault };
  }

  /** Takes a turn that is known no more from its owner's list. */
  async forget(turn: string, owner: string): Promise<void> {
    const key = this.#options.keys.ownedBy(owner, bucketOfTurn(turn) as string);
    await this.#redis(key).zrem(key, turn);
  }

  /** The room's turns that have ended, oldest first. @throws Error when Redis can't be read */
  async exchangesIn(room: string): Promise<Exchange[]> {
    const { links, keys, memory } = this.#options;
    const redis = availableRedis(links, keys.turnsOf(room));
    if (!redis) return memory.exchangesIn(room);
    const turns = await redis.zrangebyscore(keys.turnsOf(room), '-inf', '+inf');
    const exchanges = await Promise.all(turns.map((turn) => this.#exchangeOf(redis, turn)));
    return exchanges.filter((exchange) => exchange !== undefined);
  }

  async #exchangeOf(redis: Redis, turn: string): Promise<Exchange | undefined> {
    const { keys } = this.#options;
    const [[prompt, state], text] = await Promise.all([
      redis.hmget(keys.turn(turn), 'prompt', 'state'),
      redis.get(keys.text(turn)),
    ]);
    if (!prompt || !text || state === 'running') return undefined;
    const answer = fromJsonInside(text);
    return answer === undefined ? undefined : { prompt, answer };
  }

  #redis(key: string): Redis {
    return assertAvailable(this.#options.links, key);
  }
}
