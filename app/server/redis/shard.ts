import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { RedisShard } from './access.ts';
import type { Channels } from './channels.ts';
import { EndpointWatch } from './connection/endpoint-watch.ts';
import { Heartbeat, type Pulse } from './connection/heartbeat.ts';
import { inspectServer } from './connection/inspect-server.ts';
import { RedisLink, type RedisLinkOptions } from './connection/link.ts';
import type { Redirect } from './connection/open-connection.ts';
import type { RedisSetting } from './setting/setting.ts';

/** A connection could not be made; one that stood was lost; no answer came in time; the server takes no writes. */
export type RedisFault = 'connect' | 'lost' | 'overdue' | 'read-only';

/** Notified of how a shard does, for metrics; must be quick and must not throw. */
export interface ShardObserver {
  /** The heartbeat went round: over the link for commands, through Redis, back over that for subscriptions. */
  roundTrip(milliseconds: number): void;
  /** @param link what it is for, such as `commands` */
  failed(link: string, fault: RedisFault, reason: Error): void;
}

export interface ShardOptions {
  /** The server's address in a cluster; undefined: it is wherever the setting leads. */
  readonly address?: string | undefined;
  /** Asked before every attempt to connect. */
  readonly resolve: () => Promise<RedisSetting>;
  /** Of this instance, for the names of connections. */
  readonly instance: string;
  readonly log: Logger;
  readonly channels: Channels;
  /** This instance's own channel on this shard, as the slots are now. */
  readonly heartbeatChannel: () => string;
  /** Looks at each new connection before anything else. @returns whether the server is not to be used as a shard */
  readonly isElsewhere?: ((connection: Redis) => Promise<boolean>) | undefined;
  /** Tries, on each new connection for commands, what the service will ask of it. @throws Error what is denied */
  readonly selfTest?: ((connection: Redis) => Promise<void>) | undefined;
  /** The same on each new connection for subscriptions. */
  readonly subscriptionSelfTest?: ((connection: Redis) => Promise<void>) | undefined;
  /** Called at each change of what its heartbeat finds. @param reason the server's own, why it takes no writes */
  readonly onChange: (pulse: Pulse, reason?: Error) => void;
  readonly observer?: ShardObserver | undefined;
  /** Takes what the server says of keys that are elsewhere. @default there is no elsewhere */
  readonly redirect?: Redirect | undefined;
  /** How often it is looked where the setting leads, in milliseconds. @default 30,000 */
  readonly lookUpEveryMs?: number | undefined;
}

/** A primary with all that reaches it: a link for commands, one for subscriptions, and the heartbeat over both. */
export class Shard implements RedisShard {
  /** Commands: appends, reads, publishes. */
  readonly commands: RedisLink;
  /** Subscriptions only: a connection that subscribes takes no other command. */
  readonly subscriptions: RedisLink;
  readonly address: string | undefined;
  readonly #options: ShardOptions;
  readonly #heartbeat: Heartbeat;
  readonly #endpointWatch: EndpointWatch | undefined;
  readonly #opened: RedisLink[] = [];

  constructor(options: ShardOptions) {
    this.#options = options;
    this.address = options.address;
    const { channels, observer } = options;
    this.commands = this.#createLink('commands', options.selfTest);
    this.subscriptions = this.#createLink('subscriptions', options.subscriptionSelfTest);
    this.#heartbeat = new Heartbeat({
      commands: this.commands,
      subscriptions: this.subscriptions,
      channels,
      channel: options.heartbeatChannel,
      onChange: (pulse, reason) => {
        if (reason) observer?.failed('commands', 'read-only', reason);
        options.onChange(pulse, reason);
      },
      onRoundTrip: (milliseconds) => observer?.roundTrip(milliseconds),
      onOverdue: () => observer?.failed('heartbeat', 'overdue', new Error('no beat within 0.8 s')),
    });
    for (const link of [this.commands, this.subscriptions]) {
      link.on('up', () => this.#linkUp());
      link.on('down', () => this.#heartbeat.stop());
    }
    // In a cluster the map of the slots says who is the primary.
    if (options.address === undefined) {
      const { log, lookUpEveryMs } = options;
      this.#endpointWatch = new EndpointWatch(this, log, lookUpEveryMs);
    }
  }

  /** Starts to connect. */
  start(): void {
    this.commands.start();
    this.subscriptions.start();
  }

  get pulse(): Pulse {
    return this.#heartbeat.pulse;
  }

  available(): boolean {
    return this.#heartbeat.isFresh;
  }

  serverTime(): number | undefined {
    return this.#heartbeat.serverTime;
  }

  /** The slots of a cluster have moved: the heartbeat needs one that this shard has. */
  channelsMoved(): void {
    this.#heartbeat.channelMoved();
  }

  /** One link more, for what would hold up the others; closed with the shard. */
  open(purpose: string): RedisLink {
    const link = this.#createLink(purpose);
    link.start();
    return link;
  }

  /** It has no slots any more: what is under way on it ends, and nothing new begins. */
  retire(): void {
    this.#heartbeat.end();
  }

  async close(): Promise<void> {
    this.#heartbeat.end();
    this.#endpointWatch?.close();
    await Promise.all(this.#opened.map((link) => link.close()));
  }

  #createLink(purpose: string, selfTest?: (connection: Redis) => Promise<void>): RedisLink {
    const { resolve, instance, log, observer, redirect, address, isElsewhere } = this.#options;
    const onFault: RedisLinkOptions['onFault'] = (fault, reason) => observer?.failed(purpose, fault, reason);
    const inspect = async (redis: Redis) => {
      if (await isElsewhere?.(redis)) return [];
      const remarks = await inspectServer(redis);
      await selfTest?.(redis);
      return remarks;
    };
    const name = [instance, purpose, ...(address === undefined ? [] : [address])].join(':');
    // A SSUBSCRIBE that is sent on would turn a connection for commands into one for subscriptions, and a WAIT says nothing
    // of a write that another server took.
    const follow = purpose === 'commands' ? redirect : undefined;
    const link = new RedisLink({ name, log, resolve, inspect, onFault, redirect: follow });
    this.#opened.push(link);
    return link;
  }

  #linkUp(): void {
    if (this.commands.connection && this.subscriptions.connection) void this.#heartbeat.start();
  }
}
