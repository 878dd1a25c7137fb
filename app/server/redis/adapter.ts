import { EventEmitter } from 'node:events';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { Redis } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import type { BackplaneLinks } from './backplane.ts';

/**
 * Socket.IO's sharded adapter over links whose connections come and go.
 *
 * `static`: two channels a namespace, subscribed from the start, so that joining a room never races with a
 * subscription that is still under way.
 */
export function createBackplaneAdapter(links: BackplaneLinks, deployment: string): AdapterConstructor {
  return createShardedAdapter(new AdapterPublisher(links), new AdapterSubscriber(links), {
    channelPrefix: `${deployment}:socket.io`,
    subscriptionMode: 'static',
  });
}

type AdapterConstructor = ServerOptions['adapter'];

/** The part of a Redis client that the adapter publishes with. */
class AdapterPublisher {
  readonly #links: BackplaneLinks;

  constructor(links: BackplaneLinks) {
    this.#links = links;
  }

  /** While Redis is away `io.to().emit` goes on locally: the adapter delivers after this has resolved. */
  async spublish(channel: string, message: string | Buffer): Promise<unknown> {
    const connection = this.#links.commands.connection;
    return connection ? connection.spublish(channel, message).catch(() => 0) : 0;
  }

  async pubsub(subcommand: 'SHARDNUMSUB', channel: string): Promise<unknown[]> {
    const connection = this.#links.commands.connection;
    return connection ? connection.pubsub(subcommand, channel) : [channel, 1];
  }
}

/** The part that it subscribes with: keeps the channels and subscribes them on each new connection. */
class AdapterSubscriber extends EventEmitter {
  readonly #links: BackplaneLinks;
  readonly #channels = new Set<string>();

  constructor(links: BackplaneLinks) {
    super();
    this.#links = links;
    links.subscriptions.on('up', (connection) => this.#take(connection));
    if (links.subscriptions.connection) this.#take(links.subscriptions.connection);
  }

  ssubscribe(channel: string): void {
    this.#channels.add(channel);
    subscribe(this.#links.subscriptions.connection, channel);
  }

  sunsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.#links.subscriptions.connection?.sunsubscribe(channel).catch(() => undefined);
  }

  #take(connection: Redis): void {
    connection.on('smessageBuffer', (channel, message) => this.emit('smessageBuffer', channel, message));
    for (const channel of this.#channels) subscribe(connection, channel);
  }
}

/** A subscription that fails ends its connection, and the next one starts with all of them again. */
function subscribe(connection: Redis | undefined, channel: string): void {
  connection?.ssubscribe(channel).catch(() => connection.disconnect());
}
