import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { bytesInMemory } from '../../cache/open-cache.ts';
import { assertAvailable, faultIn, type RedisAccess } from '../../redis/access.ts';
import { hashTag, redisName } from '../../redis/keys.ts';
import { RpcError } from '../../rooms/rpc.ts';

/** What a hub's code keeps for one user: the same for all its connections, on all instances. */
export interface UserSession {
  /**
   * @returns undefined where nothing was set, where its time is over, or what does not fit its schema any more
   * @throws RpcError `unavailable` while Redis is away
   */
  get(name: string): Promise<unknown>;
  /**
   * The last one that is set stands.
   * @throws RpcError `unavailable` while Redis is away; Error when the value does not fit its schema, or has too many bytes
   */
  set(name: string, value: unknown): Promise<void>;
  /** @throws RpcError `unavailable` while Redis is away */
  delete(name: string): Promise<void>;
}

export interface UserSessionsOptions {
  readonly hub: string;
  /** What may be kept, by name. */
  readonly schemas: Readonly<Record<string, z.ZodType>>;
  /** Redis. @default this instance's memory */
  readonly links: RedisAccess | undefined;
  readonly deployment: string;
  /** A value is kept for so many milliseconds since it was set or read last. @default an hour */
  readonly idleMs?: number;
}

const anHour = 3_600_000;
/** As JSON: each user may have one of each name. */
const mostBytes = 8_192;
/** Of all users, where there is no Redis. */
const memoryBytes = 16_000_000;

interface Store {
  get(key: string): Promise<string | null>;
  set(key: string, text: string): Promise<unknown>;
  delete(key: string): Promise<unknown>;
}

/**
 * Sessions of a hub's users. Each read asks Redis, unlike one of a cache: whatever instance a client comes back to, it
 * finds what was set last.
 */
export class UserSessions {
  readonly #options: UserSessionsOptions;
  readonly #store: Store;

  constructor(options: UserSessionsOptions) {
    this.#options = options;
    const { links, idleMs = anHour } = options;
    this.#store = links ? redisStore(links, idleMs) : memoryStore(idleMs);
  }

  of(subject: string): UserSession {
    return {
      get: async (name) => {
        const schema = this.#schemaOf(name);
        const text = await whileAvailable(() => this.#store.get(this.#keyOf(name, subject)));
        return text === null ? undefined : valueIn(text, schema);
      },
      set: async (name, value) => {
        const text = JSON.stringify(this.#schemaOf(name).parse(value)) ?? 'null';
        const bytes = Buffer.byteLength(text);
        if (bytes > mostBytes)
          throw new Error(`${name} of a session may have ${mostBytes} bytes as JSON, got: ${bytes}`);
        await whileAvailable(() => this.#store.set(this.#keyOf(name, subject), text));
      },
      delete: async (name) => {
        this.#schemaOf(name);
        await whileAvailable(() => this.#store.delete(this.#keyOf(name, subject)));
      },
    };
  }

  #schemaOf(name: string): z.ZodType {
    const { schemas, hub } = this.#options;
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    if (!schema) throw new Error(`the hub ${hub} defines no ${name} of a session`);
    return schema;
  }

  #keyOf(name: string, subject: string): string {
    const { deployment, hub } = this.#options;
    return redisName(deployment, 'session', hashTag(hub, name, subject));
  }
}

/** Another version of the hub may have kept something else: that is as good as nothing. */
function valueIn(text: string, schema: z.ZodType): unknown {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Whatever Redis does not do, the client may try again: a set that is repeated is the same. */
async function whileAvailable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const cause = faultIn(error as Error);
    throw new RpcError('unavailable', 'sessions can not be read or kept now: try again', { cause });
  }
}

function redisStore(links: RedisAccess, idleMs: number): Store {
  const redis = async (key: string): Promise<Redis> => assertAvailable(links, key);
  return {
    get: async (key) => {
      const connection = await redis(key);
      // A server that can be read and not written still gives what it has.
      const renewed = connection.pexpire(key, idleMs).catch(() => undefined);
      const [text] = await Promise.all([connection.get(key), renewed]);
      return text;
    },
    set: async (key, text) => (await redis(key)).set(key, text, 'PX', idleMs),
    delete: async (key) => (await redis(key)).del(key),
  };
}

function memoryStore(idleMs: number): Store {
  const kept = new LRUCache<string, string>({
    maxSize: memoryBytes,
    sizeCalculation: bytesInMemory,
    ttl: idleMs,
    updateAgeOnGet: true,
  });
  return {
    get: async (key) => kept.get(key) ?? null,
    set: async (key, text) => kept.set(key, text),
    delete: async (key) => kept.delete(key),
  };
}
