import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { RedisAccess } from './access.ts';
import { Channels, type OnForeignPayload } from './channels.ts';
import { EndpointWatch } from './connection/endpoint-watch.ts';
import { Heartbeat, type Pulse } from './connection/heartbeat.ts';
import { RedisLink, type RedisLinkOptions } from './connection/link.ts';
import { redisName } from './keys.ts';
import type { RedisSetting } from './setting/setting.ts';
import { type RedisSources, type ResolvedSetting, resolveRedisSetting } from './setting/source.ts';

/** Notified of how the backplane does, for metrics; must be quick and must not throw. */
export interface BackplaneObserver {
  /** The heartbeat went round: over the link for commands, through Redis, back over that for subscriptions. */
  roundTrip(milliseconds: number): void;
  /** @param link what it is for, such as `commands` */
  failed(link: string, fault: RedisFault, reason: Error): void;
}

/** A connection could not be made; one that stood was lost; no answer came in time; the server takes no writes. */
export type RedisFault = 'connect' | 'lost' | 'overdue' | 'read-only';

/** `starting` until the first join; `degraded` while a backplane that was joined is away, or takes no writes. */
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
  readonly observer?: BackplaneObserver;
  /** How often it is looked where the setting leads, in milliseconds. @default 30,000 */
  readonly lookUpEveryMs?: number;
}

/** What joins this instance to the others. */
export interface BackplaneLinks extends RedisAccess {
  /** Commands: appends, reads, publishes. */
  readonly commands: RedisLink;
  /** Subscriptions only: a connection that subscribes takes no other command. */
  readonly subscriptions: RedisLink;
  readonly channels: Channels;
  /** The time of Redis, in milliseconds since 1970, no later than it is there; undefined: never heard. */
  serverTime(): number | undefined;
  /** One link more, for what would hold up the others; closed with the backplane. */
  open(purpose: string): RedisLink;
}

/** The backplane of this instance, or its absence. */
export class Backplane extends EventEmitter<{ status: [BackplaneStatus] }> {
  /** Absent in single-instance mode. */
  readonly links: BackplaneLinks | undefined;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #endpointWatch: EndpointWatch | undefined;
  readonly #log: Logger;
  readonly #opened: RedisLink[] = [];
  #joinedOnce = false;
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
    const inspect = (test?: (connection: Redis) => Promise<void>) => async (redis: Redis) => {
      const remarks = await inspectServer(redis);
      await test?.(redis);
      return remarks;
    };
    const commands = this.#createLink('commands', options, inspect(options.selfTest));
    const subscriptions = this.#createLink('subscriptions', options, inspect(options.subscriptionSelfTest));
    const channels = new Channels(subscriptions, this.foreignPayload);
    const heartbeat = new Heartbeat({
      commands,
      subscriptions,
      channels,
      channel: redisName(options.deployment, 'heartbeat', options.instance),
      onChange: (pulse, reason) => {
        if (reason) options.observer?.failed('commands', 'read-only', reason);
        this.#changed(pulse, reason, describe(found));
      },
      onRoundTrip: (milliseconds) => options.observer?.roundTrip(milliseconds),
      onOverdue: () => options.observer?.failed('heartbeat', 'overdue', new Error('no beat within 0.8 s')),
    });
    this.#heartbeat = heartbeat;
    this.links = {
      commands,
      subscriptions,
      channels,
      available: () => heartbeat.isFresh,
      serverTime: () => heartbeat.serverTime,
      open: (purpose) => {
        const link = this.#createLink(purpose, options, inspectServer);
        link.start();
        return link;
      },
    };
    for (const link of [commands, subscriptions]) {
      link.on('up', () => this.#linkUp());
      link.on('down', () => heartbeat.stop());
      link.start();
    }
    this.#endpointWatch = new EndpointWatch({ commands, subscriptions }, options.log, options.lookUpEveryMs);
  }

  /** A message goes round through Redis, as far as is known. */
  get isReachable(): boolean {
    return this.#heartbeat !== undefined && this.#heartbeat.pulse !== 'silent';
  }

  /** Tells the log of what somebody else says on our channels. */
  readonly foreignPayload: OnForeignPayload = (channel, fault) => {
    this.#log.warn({ channel, reason: fault.message }, 'ignored what no instance of ours has said in Redis');
  };

  get status(): BackplaneStatus {
    if (!this.#heartbeat) return 'single-instance';
    if (this.#heartbeat.pulse === 'beating') return 'joined';
    return this.#joinedOnce ? 'degraded' : 'starting';
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#heartbeat?.stop();
    this.#endpointWatch?.close();
    await Promise.all(this.#opened.map((link) => link.close()));
  }

  #createLink(
    purpose: string,
    { sources, instance, log, observer }: BackplaneOptions,
    inspect: RedisLinkOptions['inspect'],
  ): RedisLink {
    const resolve = () => settingOf(sources);
    const onFault: RedisLinkOptions['onFault'] = (fault, reason) => observer?.failed(purpose, fault, reason);
    const link = new RedisLink({ name: `${instance}:${purpose}`, resolve, inspect, log, onFault });
    this.#opened.push(link);
    return link;
  }

  #linkUp(): void {
    const { commands, subscriptions } = this.links as BackplaneLinks;
    if (commands.connection && subscriptions.connection) void this.#heartbeat?.start();
  }

  #changed(pulse: Pulse, reason: Error | undefined, description: string): void {
    if (pulse === 'beating') this.#log.info(`backplane: ${this.#joinedOnce ? 'joined again' : description}`);
    if (pulse === 'read-only') this.#log.warn({ reason: reason?.message }, readOnly);
    if (pulse === 'silent' && !this.#closing) this.#log.warn('backplane: away');
    this.#joinedOnce ||= pulse !== 'silent';
    this.emit('status', this.status);
  }
}

const readOnly = 'backplane: Redis takes no writes now: rooms can be joined, publishes are refused';

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

/** What a server must be to keep the contract, looked at on each new connection. */

/**
 * @throws Error when the server is a replica, or evicts: both lose what was acknowledged
 * @returns what is legal but should be known
 */
export async function inspectServer(redis: Redis): Promise<string[]> {
  const info = `${await redis.info('replication')}\n${await redis.info('memory')}`;
  // A demoted primary still answers: what is written to it vanishes, and PUBLISH reports no error.
  if (/^role:slave/m.test(info)) throw new Error('READONLY the server is a replica');
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy && policy !== 'noeviction') {
    throw new Error(
      `EVICTION the server's maxmemory-policy is ${policy}: it would drop logs silently. Set it to noeviction`,
    );
  }
  if (/^master_replid:/m.test(info)) return [];
  return ['the server hides master_replid: a failover is recognized by run_id, and a restart costs an epoch'];
}
