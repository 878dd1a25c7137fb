import type { Redis } from 'ioredis';
import type { RedisLink } from '../../redis/connection/link.ts';

type Handler = (payload: Buffer) => void;

/** Sharded channels over a link, subscribed again on each new connection. */
export class ShardedChannels {
  readonly #link: RedisLink;
  readonly #handlers = new Map<string, Handler>();
  /** Those whose SSUBSCRIBE the connection in use has answered. */
  #subscribed = new Set<string>();
  /** SSUBSCRIBEs that are under way. */
  readonly #subscribing = new Map<string, Promise<void>>();

  constructor(link: RedisLink) {
    this.#link = link;
    link.on('up', (connection) => this.#take(connection));
    if (link.connection) this.#take(link.connection);
  }

  subscribe(channel: string, handler: Handler): void {
    this.#handlers.set(channel, handler);
    const { connection } = this.#link;
    if (connection) this.#start(connection, channel);
  }

  unsubscribe(channel: string): void {
    this.#handlers.delete(channel);
    this.#subscribed.delete(channel);
    this.#link.connection?.sunsubscribe(channel).catch(() => undefined);
  }

  /** What is published there from now on arrives. What is being subscribed is waited for. */
  async hear(channels: readonly string[]): Promise<boolean> {
    await Promise.all(channels.map((channel) => this.#subscribing.get(channel)));
    return this.#link.connection !== undefined && channels.every((channel) => this.#subscribed.has(channel));
  }

  #take(connection: Redis): void {
    this.#subscribed = new Set();
    connection.on('smessageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#handlers.get(channel.toString())?.(payload);
    });
    for (const channel of this.#handlers.keys()) this.#start(connection, channel);
  }

  #start(connection: Redis, channel: string): void {
    const subscribing = this.#subscribeOn(connection, channel);
    this.#subscribing.set(channel, subscribing);
    void subscribing.then(() => {
      if (this.#subscribing.get(channel) === subscribing) this.#subscribing.delete(channel);
    });
  }

  /** A subscription that fails ends its connection, and the next one starts with all of them again. */
  async #subscribeOn(connection: Redis, channel: string): Promise<void> {
    try {
      await connection.ssubscribe(channel);
      if (connection === this.#link.connection && this.#handlers.has(channel)) this.#subscribed.add(channel);
    } catch (error) {
      connection.emit('error', error as Error);
      connection.disconnect();
    }
  }
}
