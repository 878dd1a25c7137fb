import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RedisEndpoint, RedisSetting } from '../setting/setting.ts';
import { type ConnectionOptions, openConnection, serverIdOf } from './open-connection.ts';

export interface RedisLinkOptions extends ConnectionOptions {
  /** Asked before every attempt to connect, so that a moved endpoint or a rotated password is picked up. */
  readonly resolve: () => Promise<RedisSetting>;
  /** Notified of each connection that can't be made, or is lost. @default nobody is */
  readonly onFault?: (fault: 'connect' | 'lost', reason: Error) => void;
}

interface LinkEvents {
  /** A new connection is ready: subscriptions and caches of the one before are gone. */
  up: [connection: Redis];
  down: [reason: Error];
}

/** Milliseconds. */
const longestBackoffMs = 2_000;
const readSettingEveryMs = 300_000;
/** A fault that lasts is reported again this often, not at each attempt. */
const reportEveryMs = 10_000;

/**
 * One connection to the primary that is made anew for as long as the process lives.
 *
 * Each connection is a fresh ioredis client without retries of its own and without an offline queue: what
 * was under way when a connection ended is rejected, and never sent again behind the caller's back.
 */
export class RedisLink extends EventEmitter<LinkEvents> {
  readonly #options: RedisLinkOptions;
  readonly #stop = new AbortController();
  #connection: Redis | undefined;
  #serverId: string | undefined;
  /** As it was read last. */
  #setting: RedisSetting | undefined;
  #settingReadAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #lastReport = 0;
  #attempt = 0;

  constructor(options: RedisLinkOptions) {
    super();
    this.#options = options;
    this.setMaxListeners(0);
  }

  /** Names the server of the connection: its `run_id`. */
  get serverId(): string | undefined {
    return this.#serverId;
  }

  /** The connection while it is ready, else undefined. */
  get connection(): Redis | undefined {
    return this.#connection;
  }

  /** Starts to connect. Calling it again changes nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Connects once more, as it would if it had no connection, and hangs up.
   * @returns the id of the server that it met  @throws Error when there is none to be used
   */
  async probe(): Promise<string> {
    const setting = await this.#settingOfNow();
    for (const [index, endpoint] of setting.endpoints.entries()) {
      try {
        const redis = await openConnection(setting, endpoint, {
          ...this.#options,
          name: `${this.#options.name}:probe`,
          inspect: async (connection) => {
            await this.#options.inspect(connection);
            return [];
          },
        });
        const id = await serverIdOf(redis).finally(() => redis.disconnect());
        return id;
      } catch (error) {
        if (index + 1 === setting.endpoints.length) throw error;
      }
    }
    throw new Error('the setting names no endpoint');
  }

  /** Ends the connection that is in use and makes another one at once. */
  renew(reason: string): void {
    this.#attempt = 0;
    this.#connection?.emit('error', new Error(reason));
    this.#connection?.disconnect();
  }

  /** Ends the connection for good. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#connection?.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#liveOnce();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#options.onFault?.('connect', error as Error);
        this.#report(error as Error);
      }
      await this.#pause();
    }
  }

  /** Connects, and returns when that connection has ended. */
  async #liveOnce(): Promise<void> {
    const setting = await this.#readSetting();
    const endpoint = setting.endpoints[this.#attempt % setting.endpoints.length] as RedisEndpoint;
    const redis = await openConnection(setting, endpoint, this.#options);
    this.#serverId = await serverIdOf(redis).catch((error) => {
      redis.disconnect();
      throw error;
    });
    if (this.#stop.signal.aborted) return redis.disconnect();
    let reason = new Error('the server closed the connection');
    redis.on('error', (error) => {
      reason = error;
    });
    // Not `once` of node:events: that one rejects at an error, and errors come before the end.
    const ended = new Promise<void>((resolve) => redis.once('end', resolve));
    if (redis.status !== 'ready') throw new Error('the connection ended at once');
    const since = Date.now();
    this.#connection = redis;
    this.emit('up', redis);
    await ended;
    this.#connection = undefined;
    // One that ends at once, for want of a permission perhaps, is not tried again without a pause.
    if (Date.now() - since > longestBackoffMs) this.#attempt = this.#lastReport = 0;
    if (this.#stop.signal.aborted) return;
    this.#options.log.warn({ link: this.#options.name, reason: reason.message }, 'lost Redis, reconnecting');
    this.#options.onFault?.('lost', reason);
    this.emit('down', reason);
  }

  async #readSetting(): Promise<RedisSetting> {
    const setting = await this.#options.resolve();
    this.#setting = setting;
    this.#settingReadAt = performance.now();
    return setting;
  }

  /** A setting can be a call to AWS, and one that moves is mostly a name that moves. */
  async #settingOfNow(): Promise<RedisSetting> {
    const isOld = performance.now() - this.#settingReadAt > readSettingEveryMs;
    return this.#setting && !isOld ? this.#setting : this.#readSetting();
  }

  #report(error: Error): void {
    const now = Date.now();
    if (now - this.#lastReport < reportEveryMs) return;
    this.#lastReport = now;
    this.#options.log.error({ link: this.#options.name }, `no Redis: ${error.message} Trying again.`);
  }

  /** Full jitter: instances that lost Redis together don't come back together. */
  async #pause(): Promise<void> {
    const longest = Math.min(longestBackoffMs, 50 * 2 ** Math.min(this.#attempt, 10));
    this.#attempt += 1;
    await delay(Math.random() * longest, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}
