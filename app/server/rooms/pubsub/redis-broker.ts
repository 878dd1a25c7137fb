import { isUtf8 } from 'node:buffer';
import { faultIn } from '../../redis/access.ts';
import type { ChannelListener, Channels } from '../../redis/channels.ts';
import { type Broadcast, encodeBroadcast, isBroadcast, parseBroadcast } from '../broadcast.ts';
import { roomKeys } from '../keys.ts';
import { UnreadableError } from '../log/log.ts';
import { messageHead, messagePosition } from '../message.ts';
import type { RoomBroker, RoomSubscriber } from './broker.ts';

export interface RedisBrokerOptions {
  readonly channels: Channels;
  readonly deployment: string;
  readonly hub: string;
  /** Publishes on a channel. @throws RedisAwayError */
  readonly publish: (channel: string, payload: string) => Promise<unknown>;
}

/** Bytes: an epoch, an offset and their colons are shorter. One slice costs less than two searches and two slices. */
const longestHead = 64;
const closeBrace = 0x7d;

/** What `append.lua` publishes, `epoch:offset:` and the message's text; and broadcasts. */
export class RedisBroker implements RoomBroker {
  readonly #options: RedisBrokerOptions;
  readonly #subscribers = new Map<string, RoomSubscriber>();

  constructor(options: RedisBrokerOptions) {
    this.#options = options;
  }

  async subscribe(room: string, subscriber: RoomSubscriber): Promise<void> {
    const channel = this.#channelOf(room);
    try {
      await this.#options.channels.subscribe(channel, listenFor(room, subscriber));
    } catch (error) {
      throw new UnreadableError('Redis does not answer', { cause: faultIn(error as Error) });
    }
    this.#subscribers.set(room, subscriber);
  }

  async follow(room: string, subscriber: RoomSubscriber): Promise<void> {
    this.#subscribers.set(room, subscriber);
    await this.#options.channels.follow(this.#channelOf(room), listenFor(room, subscriber));
  }

  unsubscribe(room: string): void {
    this.#subscribers.delete(room);
    this.#options.channels.unsubscribe(this.#channelOf(room));
  }

  broadcast(room: string, broadcast: Broadcast): void {
    this.#options
      .publish(this.#channelOf(room), encodeBroadcast(broadcast))
      .catch(() => this.#subscribers.get(room)?.receivedBroadcast(broadcast));
  }

  #channelOf(room: string): string {
    return roomKeys(this.#options.deployment, this.#options.hub, room).channel;
  }
}

function listenFor(room: string, subscriber: RoomSubscriber): ChannelListener {
  const start = Buffer.from(messageHead(room));
  return {
    resubscribed: () => subscriber.resubscribed(),
    received: (payload) => {
      if (isBroadcast(payload)) return subscriber.receivedBroadcast(parseBroadcast(payload));
      receive(payload, start, subscriber);
    },
  };
}

/**
 * @param start what each message of the room begins with
 * @throws Error for what no script of ours has published: clients would take it for the end of their connection, or for
 * a message that the log has at another place
 */
function receive(payload: Buffer, start: Buffer, subscriber: RoomSubscriber): void {
  const head = payload.toString('latin1', 0, longestHead);
  const first = head.indexOf(':');
  const second = head.indexOf(':', first + 1);
  const offset = Number(head.slice(first + 1, second));
  const text = payload.subarray(second + 1);
  const position = { epoch: head.slice(0, first), offset };
  const said = messagePosition(position);
  const isMessage =
    first > 0 &&
    second > 0 &&
    Number.isSafeInteger(offset) &&
    offset > 0 &&
    text.at(-1) === closeBrace &&
    text.subarray(0, start.length).equals(start) &&
    text.toString('latin1', start.length, start.length + said.length) === said &&
    isUtf8(text);
  if (!isMessage) throw new Error('a payload that is no message of a room');
  // A copy: the payload is a part of what was read at once, all of which would be kept with it.
  subscriber.received(position, Buffer.from(text));
}
