import { isIP } from 'node:net';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { explainConnectFailure } from '../setting/diagnosis.ts';
import type { RedisEndpoint, RedisSetting } from '../setting/setting.ts';

export interface ConnectionOptions {
  /** Shown in `CLIENT LIST` and in the log. */
  readonly name: string;
  /** Looks at each new connection's server. @throws Error when it is not to be used @returns remarks for the log */
  readonly inspect: (connection: Redis) => Promise<string[]>;
  readonly log: Logger;
}

/** Milliseconds. A primary in the same region answers in 1; a failover's DNS change takes up to a minute. */
const connectTimeoutMs = 3_000;
const commandTimeoutMs = 5_000;

/**
 * Connects once.
 * @throws Error that says what is wrong and what to do, without the password
 */
export async function openConnection(
  setting: RedisSetting,
  endpoint: RedisEndpoint,
  { name, inspect, log }: ConnectionOptions,
): Promise<Redis> {
  const redis = new BatchingRedis({
    ...endpoint,
    ...(setting.username === undefined ? {} : { username: setting.username }),
    ...(setting.password === undefined ? {} : { password: setting.password }),
    // A certificate names hosts: for an address there is no name to ask for (RFC 6066, 3).
    ...(setting.tls ? { tls: isIP(endpoint.host) ? {} : { servername: endpoint.host } } : {}),
    db: setting.database,
    connectionName: name,
    lazyConnect: true,
    protocol: 2,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    keepAlive: 10_000,
    disconnectTimeout: 500,
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // CLIENT SETINFO is not in the service's ACL, and Redis before 7.2 does not know it.
    disableClientInfo: true,
  });
  let cause: Error | undefined;
  redis.on('error', (error) => {
    cause ??= error;
  });
  try {
    await redis.connect();
    for (const remark of await inspect(redis)) log.warn({ link: name }, remark);
    return redis;
  } catch (error) {
    redis.disconnect();
    throw await explainConnectFailure(cause ?? (error as Error), setting, endpoint);
  }
}

/**
 * Sends the commands of one turn of the event loop in one write.
 *
 * ioredis's own way, `enableAutoPipelining`, makes a pipeline for each batch: where a turn has one command, as on
 * an instance that is not busy, that costs more than the command itself.
 */
class BatchingRedis extends Redis {
  #corked = false;

  override sendCommand(...command: Parameters<Redis['sendCommand']>): unknown {
    this.#cork();
    return super.sendCommand(...command);
  }

  #cork(): void {
    const { stream } = this;
    if (this.#corked || !stream) return;
    this.#corked = true;
    stream.cork();
    setImmediate(() => {
      this.#corked = false;
      stream.uncork();
    });
  }
}

/** Another one at each start of a server. */
export async function serverIdOf(redis: Redis): Promise<string> {
  return /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1] ?? '';
}
