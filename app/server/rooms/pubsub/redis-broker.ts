import { isUtf8 } from 'node:buffer';
import { faultIn } from '../../redis/access.ts';
import type { ChannelListener, Channels } from '../../redis/channels.ts';
import { type Broadcast, encodeBroadcast, isBroadcast, parseBroadcast } from '../broadcast.ts';
import { roomKeys } from '../keys.ts';
import { UnreadableError } from '../log/log.ts';
import type { Position } from '../log/position.ts';
import { messageHead, messagePosition } from '../message.ts';
import type { RoomBroker, RoomSubscriber } from './broker.ts';

export interface RedisBrokerOptions {
  readonly channels: Channels;
  readonly deployment: string;
  readonly hub: string;
  /** Publishes on a channel. @throws RedisAwayError */
  readonly publish: (channel: string, payload: string) => Promise<unknown>;
}

/** Bytes: an epoch, an offset and their colons are shorter; and both as a message has them. */
const [longestHead, longestPosition] = [64, 96];
const closeBrace = 0x7d;
/** A subscription that is behind by more is about to be made anew. */
const mostUnheard = 100;

/** What `append.lua` publishes, `epoch:offset:` and the message's text; and broadcasts. */
export class RedisBroker implements RoomBroker {
  readonly #options: RedisBrokerOptions;
  readonly #subscribers = new Map<string, RoomSubscriber>();
  /** By room, what was broadcast here and was not heard yet: messages that are appended behind it must wait for it. */
  readonly #unheard = new Map<string, string[]>();

  constructor(options: RedisBrokerOptions) {
    this.#options = options;
  }

  async subscribe(room: string, subscriber: RoomSubscriber): Promise<void> {
    const channel = this.#channelOf(room);
    try {
      await this.#options.channels.subscribe(channel, this.#listenFor(room, subscriber));
    } catch (error) {
      throw new UnreadableError('Redis does not answer', { cause: faultIn(error as Error) });
    }
    this.#subscribers.set(room, subscriber);
  }

  async follow(room: string, subscriber: RoomSubscriber): Promise<void> {
    this.#subscribers.set(room, subscriber);
    await this.#options.channels.follow(this.#channelOf(room), this.#listenFor(room, subscriber));
  }

  unsubscribe(room: string): void {
    this.#subscribers.delete(room);
    this.#unheard.delete(room);
    this.#options.channels.unsubscribe(this.#channelOf(room));
  }

  broadcast(room: string, broadcast: Broadcast): void {
    const payload = encodeBroadcast(broadcast);
    this.#waitFor(room, payload);
    this.#options.publish(this.#channelOf(room), payload).catch(() => {
      this.#heard(room, payload);
      this.#subscribers.get(room)?.receivedBroadcast(broadcast);
    });
  }

  /**
   * Hands on what was appended here. In the next tick: then it leaves behind the acknowledgement, and in the same write for
   * its sender.
   */
  appended(room: string, position: Position, message: string): void {
    const subscriber = this.#subscribers.get(room);
    if (!subscriber || this.#unheard.has(room)) return;
    const serve = () => subscriber.appended(position, message);
    process.nextTick(() => this.#options.channels.attempt(this.#channelOf(room), serve));
  }

  #waitFor(room: string, payload: string): void {
    if (!this.#subscribers.has(room)) return;
    const waiting = this.#unheard.get(room) ?? [];
    this.#unheard.set(room, waiting);
    waiting.push(payload);
    if (waiting.length > mostUnheard) waiting.shift();
  }

  /** What was sent before it is heard before it, or never. */
  #heard(room: string, payload: string): void {
    const waiting = this.#unheard.get(room);
    const index = waiting?.indexOf(payload) ?? -1;
    if (!waiting || index < 0) return;
    waiting.splice(0, index + 1);
    if (waiting.length === 0) this.#unheard.delete(room);
  }

  #listenFor(room: string, subscriber: RoomSubscriber): ChannelListener {
    const start = Buffer.from(messageHead(room)).toString('latin1');
    return {
      resubscribed: () => {
        this.#unheard.delete(room);
        subscriber.resubscribed();
      },
      received: (payload) => {
        if (!isBroadcast(payload)) return receive(payload, start, subscriber);
        if (this.#unheard.has(room)) this.#heard(room, payload.toString());
        subscriber.receivedBroadcast(parseBroadcast(payload));
      },
    };
  }

  #channelOf(room: string): string {
    return roomKeys(this.#options.deployment, this.#options.hub, room).channel;
  }
}

/**
 * @param start what each message of the room begins with, its bytes as characters
 * @throws Error for what no script of ours has published: clients would take it for the end of their connection, or for
 * a message that the log has at another place
 */
function receive(payload: Buffer, start: string, subscriber: RoomSubscriber): void {
  const head = payload.toString('latin1', 0, longestHead + start.length + longestPosition);
  const first = head.indexOf(':');
  const second = head.indexOf(':', first + 1);
  const position = { epoch: head.slice(0, first), offset: Number(head.slice(first + 1, second)) };
  if (subscriber.isServed(position)) return;
  const { offset } = position;
  const isMessage =
    first > 0 &&
    second > 0 &&
    Number.isSafeInteger(offset) &&
    offset > 0 &&
    payload.at(-1) === closeBrace &&
    head.startsWith(start, second + 1) &&
    head.startsWith(messagePosition(position), second + 1 + start.length) &&
    isUtf8(payload);
  if (!isMessage) throw new Error('a payload that is no message of a room');
  subscriber.received(position, payload.subarray(second + 1));
}
