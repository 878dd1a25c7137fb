import type { Redis } from 'ioredis';
import type { RedisLink } from './link.ts';

export interface ChannelListener {
  received(payload: Buffer): void;
  /** After the connection was made anew and this channel's SUBSCRIBE was answered. */
  resubscribed(): void;
}

/** So many channels in one SUBSCRIBE: the rooms of one answer start to catch up while the next is asked for. */
const chunkSize = 500;

/** Pub/Sub channels over a link, subscribed again on each new connection. One for each link. */
export class Channels {
  readonly #link: RedisLink;
  readonly #listeners = new Map<string, ChannelListener>();

  constructor(link: RedisLink) {
    this.#link = link;
    link.on('up', (connection) => void this.#take(connection));
    if (link.connection) void this.#take(link.connection);
  }

  /** @throws Error when the subscription can't be made now; nothing is kept of it then */
  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    const connection = this.#link.connection;
    if (!connection) throw new Error('Redis is away');
    this.#listeners.set(channel, listener);
    try {
      await connection.subscribe(channel);
    } catch (error) {
      if (this.#listeners.get(channel) === listener) this.#listeners.delete(channel);
      throw error;
    }
  }

  /** The same, and where it can't be made now it is made with the next connection. */
  async follow(channel: string, listener: ChannelListener): Promise<void> {
    this.#listeners.set(channel, listener);
    const connection = this.#link.connection;
    await connection?.subscribe(channel).catch((error) => giveUp(connection, error));
  }

  unsubscribe(channel: string): void {
    if (this.#listeners.delete(channel)) {
      this.#link.connection?.unsubscribe(channel).catch(() => undefined);
    }
  }

  async #take(connection: Redis): Promise<void> {
    connection.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#listeners.get(channel.toString())?.received(payload);
    });
    const channels = [...this.#listeners.keys()];
    try {
      for (let start = 0; start < channels.length; start += chunkSize) {
        const chunk = channels.slice(start, start + chunkSize);
        await connection.subscribe(...chunk);
        for (const channel of chunk) this.#listeners.get(channel)?.resubscribed();
      }
    } catch (error) {
      giveUp(connection, error as Error);
    }
  }
}

/** A connection that does not subscribe is of no use; the next one starts from the beginning. */
function giveUp(connection: Redis, reason: Error): void {
  connection.emit('error', reason);
  connection.disconnect();
}
