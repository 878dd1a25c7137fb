import { LRUCache } from 'lru-cache';
import { availableRedis, type RedisAccess } from '../redis/access.ts';
import { hashTag, redisName } from '../redis/keys.ts';

/** A cache that all instances share. Values are JSON; what it holds can be gone at any time. */
export interface Cache<T> {
  /** Never rejects: what can't be read is not there. */
  get(key: string): Promise<T | undefined>;
  /** Never rejects: what can't be kept is not kept. @param ttlMs milliseconds, from now on */
  set(key: string, value: T, ttlMs: number): Promise<void>;
  /** Gone here and in Redis; other instances may hold it for `localMs` more. */
  delete(key: string): Promise<void>;
  /**
   * What is kept, or else what `load` gives, kept for so long. Calls for the same key at the same time share one
   * `load` on this instance.
   *
   * @throws what `load` throws; nothing is kept of it
   */
  remember(key: string, ttlMs: number, load: () => Promise<T>): Promise<T>;
}

export interface CacheOptions {
  /** Stands in the keys. */
  readonly name: string;
  readonly deployment: string;
  /** Redis. @default this instance alone */
  readonly links?: RedisAccess | undefined;
  /** How long a value may be given from memory before Redis is asked again, in milliseconds. @default 5,000 */
  readonly localMs?: number;
  /** Bytes of all values in memory. @default 16,000,000 */
  readonly localBytes?: number;
  /** Bytes of one value as JSON; what is larger is not kept. @default 65,536 */
  readonly valueBytes?: number;
}

/** Values are kept as JSON: nobody changes what others are given. */
export function openCache<T>(options: CacheOptions): Cache<T> {
  return new LayeredCache<T>(options);
}

/** What an entry takes at most: two bytes a character, and some for its places in the lists. */
export function bytesInMemory(text: string, key: string): number {
  return 2 * (text.length + key.length) + 100;
}

/** A key that is longer is not one of ours, and is not kept. */
const longestKey = 512;

class LayeredCache<T> implements Cache<T> {
  readonly #options: Required<Omit<CacheOptions, 'links'>> & Pick<CacheOptions, 'links'>;
  readonly #local: LRUCache<string, string>;
  readonly #loading = new Map<string, Promise<T>>();

  constructor(options: CacheOptions) {
    this.#options = { localMs: 5_000, localBytes: 16_000_000, valueBytes: 65_536, ...options };
    this.#local = new LRUCache({
      maxSize: this.#options.localBytes,
      sizeCalculation: bytesInMemory,
    });
  }

  async get(key: string): Promise<T | undefined> {
    const near = this.#local.get(key);
    if (near !== undefined) return parse<T>(near);
    const name = this.#keyOf(key);
    const redis = availableRedis(this.#options.links, name);
    if (!redis) return undefined;
    const text = await redis.get(name).catch(() => null);
    if (text === null) return undefined;
    // Its age is not asked for: so short a time it may be given longer.
    this.#local.set(key, text, { ttl: this.#options.localMs });
    return parse<T>(text);
  }

  async set(key: string, value: T, ttlMs: number): Promise<void> {
    const text = JSON.stringify(value);
    if (text === undefined || key.length > longestKey || Buffer.byteLength(text) > this.#options.valueBytes) {
      return this.delete(key);
    }
    const name = this.#keyOf(key);
    // Undefined while Redis is away: the callers do not wait for it.
    const redis = availableRedis(this.#options.links, name);
    // Alone, memory is all there is, and it holds for the whole time.
    const localMs = redis ? Math.min(ttlMs, this.#options.localMs) : ttlMs;
    this.#local.set(key, text, { ttl: Math.max(1, localMs) });
    await redis?.set(name, text, 'PX', Math.max(1, Math.ceil(ttlMs))).catch(() => undefined);
  }

  async delete(key: string): Promise<void> {
    this.#local.delete(key);
    const name = this.#keyOf(key);
    await availableRedis(this.#options.links, name)
      ?.del(name)
      .catch(() => undefined);
  }

  remember(key: string, ttlMs: number, load: () => Promise<T>): Promise<T> {
    const underWay = this.#loading.get(key);
    if (underWay) return underWay;
    const loading = this.#load(key, ttlMs, load).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  async #load(key: string, ttlMs: number, load: () => Promise<T>): Promise<T> {
    const kept = await this.get(key);
    if (kept !== undefined) return kept;
    const value = await load();
    await this.set(key, value, ttlMs);
    return value;
  }

  #keyOf(key: string): string {
    const { deployment, name } = this.#options;
    return redisName(deployment, 'cache', hashTag(name, key));
  }
}

/** What someone else wrote there is no value. */
function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
