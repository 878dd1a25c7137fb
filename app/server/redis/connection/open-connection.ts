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
  /** Takes what the server says of keys that are elsewhere. @default there is no elsewhere */
  readonly redirect?: Redirect | undefined;
}

/** @returns whether it is taken care of; if not, the error is the command's */
export type Redirect = (command: RedirectedCommand, error: Error) => boolean;

/** A command that a server did not run, since it does not have its keys. */
export interface RedirectedCommand {
  /** Where it was sent first. */
  readonly origin: Redis;
  /** How often it was sent on since. */
  readonly hops: number;
  /** When it was sent first, as `performance.now()` tells it. */
  readonly sentAt: number;
  sendTo(connection: Redis): void;
  refuse(error: Error): void;
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
  { name, inspect, log, redirect }: ConnectionOptions,
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
    handOnAtOnce(redis.stream);
    for (const remark of await inspect(redis)) log.warn({ link: name }, remark);
    redis.redirect = redirect;
    return redis;
  } catch (error) {
    redis.disconnect();
    throw await explainConnectFailure(cause ?? (error as Error), setting, endpoint);
  }
}

/**
 * Node.js hands what it reads on at once to who listens by `on`. ioredis listens by `prependListener`, so that each read
 * would go into a buffer and come out of it in another tick.
 */
function handOnAtOnce(stream: Redis['stream']): void {
  stream.on('data', () => undefined);
}

/**
 * Sends the commands of one turn of the event loop in one write.
 *
 * ioredis's own way, `enableAutoPipelining`, makes a pipeline for each batch: where a turn has one command, as on
 * an instance that is not busy, that costs more than the command itself.
 */
class BatchingRedis extends Redis {
  /** Undefined: whatever a server says is the command's own error. */
  redirect: Redirect | undefined;
  #corked = false;

  override sendCommand(...[command, stream]: Parameters<Redis['sendCommand']>): unknown {
    this.#cork();
    if (this.redirect) followRedirects(command, this.redirect, this);
    return super.sendCommand(command, stream);
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

/** What is sent in `send` is answered by this server alone. */
export function withoutRedirects<T>(redis: Redis, send: () => T): T {
  if (!(redis instanceof BatchingRedis)) return send();
  const { redirect } = redis;
  redis.redirect = undefined;
  try {
    return send();
  } finally {
    redis.redirect = redirect;
  }
}

type Command = Parameters<Redis['sendCommand']>[0];

/** Marks a command that is followed already, wherever it is sent next. */
const isFollowed = Symbol('is followed');

/** ioredis settles a command by its `reject`, which its own cluster client overwrites as well. */
function followRedirects(
  command: Command & { [isFollowed]?: true },
  redirect: Redirect,
  origin: Redis,
): void {
  if (command[isFollowed]) return;
  command[isFollowed] = true;
  const settle = command.reject;
  const sentAt = performance.now();
  let hops = 0;
  command.reject = (error) => {
    const refuse = (other: Error) => settle.call(command, other);
    const sendTo = (connection: Redis) => {
      hops += 1;
      connection.sendCommand(command);
    };
    const isTaken = error.name === 'ReplyError' && redirect({ origin, hops, sentAt, sendTo, refuse }, error);
    if (!isTaken) refuse(error);
  };
}

/** Another one at each start of a server. */
export async function serverIdOf(redis: Redis): Promise<string> {
  return /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1] ?? '';
}
