import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { WatchedRedis } from './access.ts';
import type { Channels, OnForeignPayload } from './channels.ts';
import type { RedisSetting } from './setting/setting.ts';
import { type RedisSources, type ResolvedSetting, resolveRedisSetting } from './setting/source.ts';
import type { Shard, ShardObserver } from './shard.ts';
import { type ShardChange, Shards } from './shards.ts';

/**
 * `starting` until the first join; `degraded` while a backplane that was joined is away or takes no writes, be it one shard
 * of many.
 */
export type BackplaneStatus = 'single-instance' | 'starting' | 'joined' | 'degraded';

export interface BackplaneOptions {
  readonly sources: RedisSources;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  readonly instance: string;
  readonly log: Logger;
  /** Tries, on each new connection for commands, what the service will ask of it. @throws Error what is denied */
  readonly selfTest?: (connection: Redis) => Promise<void>;
  /** The same on each new connection for subscriptions. */
  readonly subscriptionSelfTest?: (connection: Redis) => Promise<void>;
  /** @default nobody is notified */
  readonly observer?: ShardObserver;
  /** How often it is looked where the setting leads, in milliseconds. @default 30,000 */
  readonly lookUpEveryMs?: number;
}

/** What joins this instance to the others. */
export interface BackplaneLinks extends WatchedRedis {
  shardOf(key: string): Shard | undefined;
  readonly channels: Channels;
  /** Some of the keys in this key's slot may be on another shard than the rest: the slot is being moved. */
  isMovingAway(key: string): boolean;
  /** By which address this instance reaches Redis; undefined while it does not. */
  readonly localAddress: string | undefined;
}

/** A shard, as this instance sees it. */
export interface ShardState {
  /** `host:port` of the primary. */
  readonly address: string;
  readonly slots: number;
  readonly status: 'joined' | 'read-only' | 'away';
}

/** How many shards a cluster has, and how many of them can be read and written from here. */
export interface ShardCounts {
  readonly joined: number;
  readonly of: number;
}

/** A shard that is not there when the service starts is waited for so long, in milliseconds. */
const waitForShardMs = 5_000;

/** The backplane of this instance, or its absence. */
export class Backplane extends EventEmitter<{ status: [BackplaneStatus] }> {
  /** Absent in single-instance mode. */
  readonly links: BackplaneLinks | undefined;
  readonly #shards: Shards | undefined;
  readonly #log: Logger;
  readonly #description: string = '';
  /** Addresses of the shards that were joined before. */
  readonly #heard = new Set<string | undefined>();
  #joinedOnce = false;
  #waiting: NodeJS.Timeout | undefined;
  #waitIsOver = false;
  #closing = false;

  /** @param found the setting as it was at boot; it is read anew at every connect */
  constructor(options: BackplaneOptions, found: ResolvedSetting) {
    super();
    this.#log = options.log;
    if (found.kind === 'none') {
      options.log.info(
        `backplane: none (${found.source}); single-instance mode, other instances are not seen`,
      );
      return;
    }
    this.#description = describe(found);
    const shards = new Shards({
      ...options,
      resolve: () => settingOf(options.sources),
      onForeignPayload: this.foreignPayload,
      onChange: (change) => this.#changed(change),
    });
    this.#shards = shards;
    this.links = {
      channels: shards.channels,
      shardOf: (key) => shards.shardOf(key),
      isMovingAway: (key) => shards.isMovingAway(key),
      onReturn: (listener) => shards.onReturn(listener),
      get localAddress() {
        const connected = shards.all.find(({ commands }) => commands.connection);
        return connected?.commands.connection?.stream.localAddress;
      },
    };
    shards.start();
  }

  /** A message goes round through Redis, as far as is known; of many shards through one at least. */
  get isReachable(): boolean {
    return this.#shards?.all.some(({ pulse }) => pulse !== 'silent') ?? false;
  }

  /** What is kept under this key can be read and written now, as far as is known. */
  isWhole(key: string): boolean {
    return this.#shards === undefined || this.#shards.shardOf(key)?.pulse === 'beating';
  }

  /** Of a cluster, by their addresses; none where there is no cluster. */
  get shards(): ShardState[] {
    const shards = this.#shards;
    if (!shards?.isCluster) return [];
    return shards.all
      .map((shard) => ({
        address: String(shard.address),
        slots: shards.slotsOf(shard),
        status: statusOf(shard),
      }))
      .sort((one, other) => one.address.localeCompare(other.address));
  }

  /** Undefined where there is no cluster. */
  get shardCounts(): ShardCounts | undefined {
    const { shards } = this;
    if (shards.length === 0) return undefined;
    return { joined: shards.filter(({ status }) => status === 'joined').length, of: shards.length };
  }

  /** Tells the log of what somebody else says on our channels. */
  readonly foreignPayload: OnForeignPayload = (channel, fault) => {
    this.#log.warn({ channel, reason: fault.message }, 'ignored what no instance of ours has said in Redis');
  };

  get status(): BackplaneStatus {
    const shards = this.#shards;
    if (!shards) return 'single-instance';
    if (shards.isComplete && shards.all.every(({ pulse }) => pulse === 'beating')) return 'joined';
    return this.#joinedOnce ? 'degraded' : 'starting';
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#waiting);
    await this.#shards?.close();
  }

  #changed(change: ShardChange | undefined): void {
    if (change) this.#report(change);
    this.#noticeJoin();
    this.emit('status', this.status);
  }

  #report({ shard: { address }, pulse, reason }: ShardChange): void {
    const where = address === undefined ? {} : { shard: address };
    if (pulse === 'beating') {
      const joined = address === undefined ? this.#description : `a shard of ${this.#description}`;
      this.#log.info(where, `backplane: ${this.#heard.has(address) ? 'joined again' : joined}`);
      this.#heard.add(address);
    }
    if (pulse === 'read-only') this.#log.warn({ ...where, reason: reason?.message }, readOnly);
    if (pulse === 'silent' && !this.#closing) this.#log.warn(where, 'backplane: away');
  }

  /** Once all shards were heard; one that stays away holds up the rooms of the others for a moment only. */
  #noticeJoin(): void {
    const shards = this.#shards as Shards;
    if (this.#joinedOnce || !this.isReachable) return;
    this.#joinedOnce =
      this.#waitIsOver || (shards.isComplete && shards.all.every(({ pulse }) => pulse !== 'silent'));
    if (!this.#joinedOnce) this.#waiting ??= setTimeout(() => this.#endWaiting(), waitForShardMs).unref();
  }

  #endWaiting(): void {
    this.#waitIsOver = true;
    if (!this.#joinedOnce) this.#changed(undefined);
  }
}

const readOnly = 'backplane: Redis takes no writes now: rooms can be joined, publishes are refused';

function statusOf({ pulse }: Shard): ShardState['status'] {
  if (pulse === 'beating') return 'joined';
  return pulse === 'read-only' ? 'read-only' : 'away';
}

/**
 * Finds the Redis setting and starts to connect; does not wait for the connection.
 * @throws RedisSettingError when the setting can't be read at boot
 */
export async function openBackplane(options: BackplaneOptions): Promise<Backplane> {
  return new Backplane(options, await resolveRedisSetting(options.sources));
}

/** A setting that turned into `none` under a running service is a mistake until it is restarted. */
async function settingOf(sources: RedisSources): Promise<RedisSetting> {
  const found = await resolveRedisSetting(sources);
  if (found.kind === 'redis') return found.setting;
  throw new Error(`${found.source} now; restart the service to run it without a backplane.`);
}

function describe({ source, setting }: Extract<ResolvedSetting, { kind: 'redis' }>): string {
  const hosts = setting.endpoints.map(({ host, port }) => `${host}:${port}`).join(',');
  return `redis at ${hosts}, user ${setting.username ?? 'default'}, TLS ${setting.tls ? 'on' : 'off'}, from ${source}`;
}
