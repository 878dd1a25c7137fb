import type { Redis } from 'ioredis';
import { RedisAwayError } from './access.ts';
import { slotOf } from './buckets.ts';

export interface ChannelListener {
  /** What it throws goes to `onFault`, and the next payload comes all the same. */
  received(payload: Buffer): void;
  /** After the connection was made anew, or the channel has moved to another one, and its SSUBSCRIBE was answered. */
  resubscribed(): void;
}

/** So many channels are asked for at a time: their rooms start to catch up while the next are asked for. */
const mostAtOnce = 500;

/** Notified of a payload that could not be used: whoever may publish in Redis may publish anything. */
export type OnForeignPayload = (channel: string, fault: Error) => void;

export interface ChannelsOptions {
  /** The connection for subscriptions of the shard that has the channel now. */
  readonly connectionOf: (channel: string) => Redis | undefined;
  /** Called where a server says that it does not have a channel; resolves once it is known who has. @default nobody */
  readonly onMoved?: () => Promise<void>;
  /** @default nobody is notified */
  readonly onFault?: OnForeignPayload;
}

/** A SSUBSCRIBE that is under way. */
interface Subscribing {
  readonly connection: Redis;
  readonly answered: Promise<unknown>;
}

/** A channel moves no further while it is subscribed; one that does is given up. */
const mostMoves = 5;

/** Sharded Pub/Sub channels, each subscribed at the shard that has it, and again wherever that is next. */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #listeners = new Map<string, ChannelListener>();
  /** The connection that has answered a channel's SSUBSCRIBE. */
  readonly #subscribedOn = new Map<string, Redis>();
  readonly #subscribing = new Map<string, Subscribing>();

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** @throws RedisAwayError, Error when the subscription can't be made now; nothing is kept of it then */
  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    this.#listeners.set(channel, listener);
    try {
      await this.#subscribe(channel);
    } catch (error) {
      if (this.#listeners.get(channel) === listener) this.#listeners.delete(channel);
      throw error;
    }
  }

  /** The same, and where it can't be made now it is made as soon as it can. */
  async follow(channel: string, listener: ChannelListener): Promise<void> {
    this.#listeners.set(channel, listener);
    const connection = this.#options.connectionOf(channel);
    if (connection) await this.#ask(connection, [channel]).catch((error) => this.#failed(connection, error));
  }

  unsubscribe(channel: string): void {
    if (!this.#listeners.delete(channel)) return;
    const connection = this.#subscribedOn.get(channel) ?? this.#options.connectionOf(channel);
    this.#subscribedOn.delete(channel);
    connection?.sunsubscribe(channel).catch(() => undefined);
  }

  /** What is published there from now on arrives. What is being subscribed is waited for. */
  async hear(channels: readonly string[]): Promise<boolean> {
    await Promise.all(
      channels.map((channel) => this.#subscribing.get(channel)?.answered.catch(() => undefined)),
    );
    return channels.every((channel) => this.#isSubscribed(channel));
  }

  /** Does something that concerns a channel: what it throws goes to `onFault`. */
  attempt(channel: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onFault?.(channel, error as Error);
    }
  }

  /** Takes a new connection for subscriptions, and subscribes on it what is its shard's. */
  take(connection: Redis): void {
    connection.on('smessageBuffer', (channel: Buffer, payload: Buffer) => this.#received(channel, payload));
    connection.on('moved', () => this.#lost(connection));
    void this.place();
  }

  /** Subscribes each channel that is not subscribed where it is now. */
  async place(): Promise<void> {
    const bySlot = new Map<number, string[]>();
    for (const channel of this.#listeners.keys()) {
      if (this.#isPlaced(channel)) continue;
      const slot = slotOf(channel);
      const channels = bySlot.get(slot) ?? [];
      channels.push(channel);
      bySlot.set(slot, channels);
    }
    for (const some of inPortions([...bySlot.values()], mostAtOnce)) {
      await Promise.all(some.map((channels) => this.#placeSlot(channels)));
    }
  }

  async #placeSlot(channels: readonly string[]): Promise<void> {
    const connection = this.#options.connectionOf(channels[0] as string);
    if (!connection) return;
    try {
      await this.#ask(connection, channels);
    } catch (error) {
      return this.#failed(connection, error as Error);
    }
    for (const channel of channels) {
      const listener = this.#listeners.get(channel);
      if (listener) listener.resubscribed();
      // One that nobody wants any more, since it was asked for, would be heard for nothing.
      else this.#release(connection, channel);
    }
  }

  async #subscribe(channel: string): Promise<void> {
    for (let moves = 0; ; moves += 1) {
      const connection = this.#options.connectionOf(channel);
      if (!connection) throw new RedisAwayError();
      try {
        return await this.#ask(connection, [channel]);
      } catch (error) {
        const hasMoved = isElsewhere(error as Error);
        if (!hasMoved && (error as Error).name !== 'ReplyError') giveUp(connection, error as Error);
        if (!hasMoved || moves === mostMoves) throw error;
      }
      await this.#options.onMoved?.();
    }
  }

  /** @param channels of one slot @throws Error when the server refuses */
  async #ask(connection: Redis, channels: readonly string[]): Promise<void> {
    const subscribing = { connection, answered: connection.ssubscribe(...channels) };
    for (const channel of channels) this.#subscribing.set(channel, subscribing);
    try {
      await subscribing.answered;
      for (const channel of channels) this.#subscribedOn.set(channel, connection);
    } finally {
      for (const channel of channels)
        if (this.#subscribing.get(channel) === subscribing) this.#subscribing.delete(channel);
    }
    if (this.#options.connectionOf(channels[0] as string) !== connection) void this.place();
  }

  #failed(connection: Redis, error: Error): void {
    if (isElsewhere(error)) void this.#options.onMoved?.();
    else giveUp(connection, error);
  }

  #release(connection: Redis, channel: string): void {
    if (this.#subscribedOn.get(channel) === connection) this.#subscribedOn.delete(channel);
    connection.sunsubscribe(channel).catch(() => undefined);
  }

  /** It is subscribed where it is now, or will be as soon as the server answers. */
  #isPlaced(channel: string): boolean {
    const connection = this.#options.connectionOf(channel);
    if (this.#subscribing.get(channel)?.connection === connection) return true;
    return this.#isSubscribed(channel);
  }

  #isSubscribed(channel: string): boolean {
    const connection = this.#subscribedOn.get(channel);
    return connection !== undefined && connection === this.#options.connectionOf(channel);
  }

  /** The server has taken channels away, and ioredis does not say which. */
  #lost(connection: Redis): void {
    const left = subscribedChannels(connection);
    for (const [channel, on] of this.#subscribedOn)
      if (on === connection && !left.has(channel)) this.#subscribedOn.delete(channel);
    void this.#options.onMoved?.();
  }

  #received(channel: Buffer, payload: Buffer): void {
    const name = channel.toString();
    this.attempt(name, () => this.#listeners.get(name)?.received(payload));
  }
}

/** The server does not have the channel's slot, or not now. */
function isElsewhere({ message }: Error): boolean {
  return /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(message);
}

/**
 * A connection that does not subscribe is of no use; the next one starts from the beginning. What was subscribed before
 * may still be heard on it, so that nothing else shows that it is half dead.
 */
function giveUp(connection: Redis, reason: Error): void {
  connection.emit('error', reason);
  connection.disconnect();
}

function subscribedChannels(connection: Redis): ReadonlySet<string> {
  const subscriber = connection.condition?.subscriber;
  return new Set(subscriber ? subscriber.channels('ssubscribe') : []);
}

/** @returns the groups, in portions of about so many channels */
function* inPortions(groups: readonly string[][], most: number): Iterable<string[][]> {
  let portion: string[][] = [];
  let count = 0;
  for (const group of groups) {
    portion.push(group);
    count += group.length;
    if (count < most) continue;
    yield portion;
    portion = [];
    count = 0;
  }
  if (portion.length > 0) yield portion;
}
