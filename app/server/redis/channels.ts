import type { Redis } from 'ioredis';
import { assertConnected } from './access.ts';
import type { RedisLink } from './connection/link.ts';

export interface ChannelListener {
  /** What it throws goes to `onFault`, and the next payload comes all the same. */
  received(payload: Buffer): void;
  /** After the connection was made anew and this channel's SUBSCRIBE was answered. */
  resubscribed(): void;
}

/** So many channels in one SUBSCRIBE: the rooms of one answer start to catch up while the next is asked for. */
const chunkSize = 500;

/** Notified of a payload that could not be used: whoever may publish in Redis may publish anything. */
export type OnForeignPayload = (channel: string, fault: Error) => void;

/** Pub/Sub channels over a link, subscribed again on each new connection. One for each link. */
export class Channels {
  readonly #link: RedisLink;
  readonly #onFault: OnForeignPayload;
  readonly #listeners = new Map<string, ChannelListener>();

  /** @param onFault @default nobody is notified */
  constructor(link: RedisLink, onFault: OnForeignPayload = () => undefined) {
    this.#link = link;
    this.#onFault = onFault;
    link.on('up', (connection) => void this.#take(connection));
    if (link.connection) void this.#take(link.connection);
  }

  /** @throws RedisAwayError, Error when the subscription can't be made now; nothing is kept of it then */
  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    const connection = assertConnected({ commands: this.#link });
    this.#listeners.set(channel, listener);
    try {
      await connection.subscribe(channel);
    } catch (error) {
      if (this.#listeners.get(channel) === listener) this.#listeners.delete(channel);
      // What was subscribed before may still be heard on it, so that nothing else shows that it is half dead.
      if ((error as Error).name !== 'ReplyError') giveUp(connection, error as Error);
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
    connection.on('messageBuffer', (channel: Buffer, payload: Buffer) => this.#received(channel, payload));
    const channels = [...this.#listeners.keys()];
    try {
      for (let start = 0; start < channels.length; start += chunkSize) {
        const chunk = channels.slice(start, start + chunkSize);
        await connection.subscribe(...chunk);
        for (const channel of chunk) this.#resubscribed(connection, channel);
      }
    } catch (error) {
      giveUp(connection, error as Error);
    }
  }

  /** One that nobody wants any more, since it was asked for, would be heard for nothing. */
  #resubscribed(connection: Redis, channel: string): void {
    const listener = this.#listeners.get(channel);
    if (listener) listener.resubscribed();
    else connection.unsubscribe(channel).catch(() => undefined);
  }

  #received(channel: Buffer, payload: Buffer): void {
    const name = channel.toString();
    try {
      this.#listeners.get(name)?.received(payload);
    } catch (error) {
      this.#onFault(name, error as Error);
    }
  }
}

/** A connection that does not subscribe is of no use; the next one starts from the beginning. */
function giveUp(connection: Redis, reason: Error): void {
  connection.emit('error', reason);
  connection.disconnect();
}
