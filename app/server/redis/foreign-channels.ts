import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { RedisAwayError } from './access.ts';
import { EndpointWatch } from './connection/endpoint-watch.ts';
import { RedisLink } from './connection/link.ts';
import { type RedisSources, resolveRedisSetting } from './setting/source.ts';

export interface ForeignChannelsOptions {
  /** Names the connections in `CLIENT LIST` and in the log. */
  readonly name: string;
  /** Of their Redis, which may be another one than the backplane's. */
  readonly sources: RedisSources;
  readonly channels: readonly string[];
  /** Patterns of channels, as PSUBSCRIBE takes them. */
  readonly patterns: readonly string[];
  readonly log: Logger;
  /** What it throws stands in the log, and the next payload comes all the same. */
  readonly received: (channel: string, payload: Buffer) => void;
  /** Tries on each new connection what will be published. @throws Error what is denied @default nothing is published */
  readonly publishSelfTest?: (connection: Redis) => Promise<void>;
}

/** A connection that stands and is dead shows at the next of these, in milliseconds. */
const pingEveryMs = 10_000;

/** Pub/Sub channels of other programs: no keys of theirs are read, so that an evicting server is good enough. */
export class ForeignChannels {
  readonly #options: ForeignChannelsOptions;
  readonly #publisher: RedisLink;
  readonly #subscriber: RedisLink;
  readonly #endpointWatch: EndpointWatch;
  readonly #pings: NodeJS.Timeout;

  constructor(options: ForeignChannelsOptions) {
    this.#options = options;
    const { log, name, sources, publishSelfTest } = options;
    const link = (purpose: string, test?: (connection: Redis) => Promise<void>) =>
      new RedisLink({
        name: `${name}:${purpose}`,
        log,
        resolve: async () => {
          const found = await resolveRedisSetting(sources);
          if (found.kind === 'redis') return found.setting;
          throw new Error(`${found.source} now; restart the service to run it without bridges.`);
        },
        inspect: async (connection) => {
          await assertPrimary(connection);
          await test?.(connection);
          return [];
        },
      });
    this.#publisher = link('publish', publishSelfTest);
    this.#subscriber = link('subscribe');
    this.#subscriber.on('up', (connection) => void this.#subscribe(connection));
    this.#endpointWatch = new EndpointWatch(
      { commands: this.#publisher, subscriptions: this.#subscriber },
      log,
    );
    this.#pings = setInterval(() => this.#ping(), pingEveryMs).unref();
    this.#publisher.start();
    this.#subscriber.start();
  }

  /** @throws RedisAwayError, and what Redis says */
  async publish(channel: string, payload: string): Promise<void> {
    const { connection } = this.#publisher;
    if (!connection) throw new RedisAwayError();
    await connection.publish(channel, payload);
  }

  async close(): Promise<void> {
    clearInterval(this.#pings);
    this.#endpointWatch.close();
    await Promise.all([this.#publisher.close(), this.#subscriber.close()]);
  }

  /** A connection that does not subscribe is of no use; the next one starts from the beginning. */
  async #subscribe(connection: Redis): Promise<void> {
    const { channels, patterns, log, name } = this.#options;
    connection.on('messageBuffer', (channel: Buffer, payload: Buffer) => this.#take(channel, payload));
    connection.on('pmessageBuffer', (_pattern: Buffer, channel: Buffer, payload: Buffer) =>
      this.#take(channel, payload),
    );
    try {
      if (channels.length > 0) await connection.subscribe(...channels);
      if (patterns.length > 0) await connection.psubscribe(...patterns);
      log.info({ bridge: name, channels: [...channels, ...patterns] }, 'the bridge hears its channels');
    } catch (error) {
      log.error({ bridge: name, reason: (error as Error).message }, 'a bridge can not hear its channels');
      connection.disconnect();
    }
  }

  #take(channel: Buffer, payload: Buffer): void {
    try {
      this.#options.received(channel.toString(), payload);
    } catch (error) {
      const { log, name } = this.#options;
      log.warn({ bridge: name, reason: (error as Error).message }, 'ignored what a bridge can not read');
    }
  }

  #ping(): void {
    for (const link of [this.#publisher, this.#subscriber]) {
      link.connection?.ping().catch((error: Error) => link.renew(`no answer to PING: ${error.message}`));
    }
  }
}

/** What is published to a replica reaches no other subscriber than its own, and nobody says so. */
async function assertPrimary(connection: Redis): Promise<void> {
  if (/^role:slave/m.test(await connection.info('replication')))
    throw new Error('READONLY the server is a replica');
}
