import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { Channels } from './channels.ts';
import { Heartbeat } from './heartbeat.ts';
import { RedisLink, type RedisLinkOptions } from './link.ts';
import type { BackplaneObserver } from './observer.ts';
import { inspectServer } from './self-test.ts';
import type { RedisSetting } from './setting.ts';
import { type RedisSources, type ResolvedSetting, resolveRedisSetting } from './source.ts';

/** `starting` until the first join; `degraded` while a backplane that was joined is away. */
export type BackplaneStatus = 'single-instance' | 'starting' | 'joined' | 'degraded';

export interface BackplaneOptions {
  readonly sources: RedisSources;
  /** Prefix of every key and channel. */
  readonly deployment: string;
  readonly instance: string;
  readonly log: Logger;
  /** Tries, on each new connection for commands, what the service will ask of it. @throws Error what is denied */
  readonly selfTest?: (connection: Redis) => Promise<void>;
  /** @default nobody is told */
  readonly observer?: BackplaneObserver;
}

/** What joins this instance to the others. */
export interface BackplaneLinks {
  /** Commands: appends, reads, publishes. */
  readonly commands: RedisLink;
  /** Subscriptions only: a connection that subscribes takes no other command. */
  readonly subscriptions: RedisLink;
  readonly channels: Channels;
  /** A message goes round through Redis now. */
  available(): boolean;
  /** One link more, for what would hold up the others; closed with the backplane. */
  open(purpose: string): RedisLink;
}

/** The backplane of this instance, or its absence. */
export class Backplane extends EventEmitter<{ status: [BackplaneStatus] }> {
  /** Absent in single-instance mode. */
  readonly links: BackplaneLinks | undefined;
  readonly #heartbeat: Heartbeat | undefined;
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
    const { selfTest = async () => undefined } = options;
    const commands = this.#createLink('commands', options, async (redis) => {
      const remarks = await inspectServer(redis);
      await selfTest(redis);
      return remarks;
    });
    const subscriptions = this.#createLink('subscriptions', options, inspectServer);
    const channels = new Channels(subscriptions);
    this.#heartbeat = new Heartbeat({
      commands,
      subscriptions,
      channels,
      channel: `${options.deployment}:heartbeat:${options.instance}`,
      onChange: (beating) => this.#changed(beating, describe(found)),
      onRoundTrip: (milliseconds) => options.observer?.roundTrip(milliseconds),
      onOverdue: () => options.observer?.failed('heartbeat', 'overdue', new Error('no beat within 0.8 s')),
    });
    this.links = {
      commands,
      subscriptions,
      channels,
      available: () => this.status === 'joined',
      open: (purpose) => {
        const link = this.#createLink(purpose, options, inspectServer);
        link.start();
        return link;
      },
    };
    for (const link of [commands, subscriptions]) {
      link.on('up', () => this.#linkUp());
      link.on('down', () => this.#heartbeat?.stop());
      link.start();
    }
  }

  get status(): BackplaneStatus {
    if (!this.#heartbeat) return 'single-instance';
    if (this.#heartbeat.beating) return 'joined';
    return this.#joinedOnce ? 'degraded' : 'starting';
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#heartbeat?.stop();
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

  #changed(beating: boolean, description: string): void {
    if (beating) this.#log.info(`backplane: ${this.#joinedOnce ? 'joined again' : description}`);
    else if (!this.#closing) this.#log.warn('backplane: away');
    this.#joinedOnce ||= beating;
    this.emit('status', this.status);
  }
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
