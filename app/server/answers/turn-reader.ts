import type { Redis } from 'ioredis';
import { assertAvailable, availableRedis, type RedisAccess } from '../redis/access.ts';
import { type AnswerKeys, fromJsonInside } from './keys.ts';
import type { MemoryTurns } from './memory-turns.ts';
import type { Exchange, Turn, TurnState } from './turn.ts';

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
    if (kept || !links) return kept;
    const fields = await this.#redis(keys.turn(turn)).hmget(
      keys.turn(turn),
      'owner',
      'room',
      'subject',
      'state',
    );
    const [owner, room, subject, state] = fields;
    if (!owner || !room || !subject || !state) return undefined;
    return { turn, owner, room, subject, state: state as TurnState };
  }

  /** What was said of a turn's answer. @throws RedisAwayError when this process does not know the turn */
  async textOf(turn: string): Promise<string | undefined> {
    const { links, keys, memory } = this.#options;
    const kept = memory.find(turn);
    if (kept || !links) return kept?.text;
    const text = await this.#redis(keys.text(turn)).get(keys.text(turn));
    return text === null ? undefined : fromJsonInside(text);
  }

  /** Turns under way of an owner. @throws RedisAwayError */
  async ownedBy(owner: string): Promise<string[]> {
    const { links, keys } = this.#options;
    return links ? this.#redis(keys.ownedBy(owner)).zrangebyscore(keys.ownedBy(owner), '-inf', '+inf') : [];
  }

  /** Takes a turn that is known no more from its owner's list. */
  async forget(turn: string, owner: string): Promise<void> {
    const owned = this.#options.keys.ownedBy(owner);
    await this.#redis(owned).zrem(owned, turn);
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
