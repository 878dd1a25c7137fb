import { Redis, type RedisOptions } from 'ioredis';

/** A test's own connection to one of its servers. */
export async function connectRedis(port: number, options: RedisOptions = {}): Promise<Redis> {
  const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null, ...options });
  redis.on('error', () => undefined);
  await redis.connect();
  return redis;
}

/** Runs one thing on a server. */
export async function onRedis<T>(
  port: number,
  run: (redis: Redis) => Promise<T>,
  options?: RedisOptions,
): Promise<T> {
  const redis = await connectRedis(port, options);
  try {
    return await run(redis);
  } finally {
    redis.disconnect();
  }
}

export interface RedisClientEntry {
  readonly id: string;
  readonly name: string;
  /** Of the client's end of the connection. */
  readonly port: number;
}

/** Whoever is connected to a server under a name that ends so, such as `:subscriptions`. */
export async function clientsNamed(port: number, ending: string): Promise<RedisClientEntry[]> {
  const list = await onRedis(port, (redis) => redis.client('LIST'));
  return String(list)
    .split('\n')
    .map((line) => new Map(line.split(' ').map((field) => field.split(/=(.*)/s) as [string, string])))
    .filter((fields) => fields.get('name')?.endsWith(ending))
    .map((fields) => ({
      id: fields.get('id') as string,
      name: fields.get('name') as string,
      port: Number(fields.get('addr')?.split(':').at(-1)),
    }));
}
