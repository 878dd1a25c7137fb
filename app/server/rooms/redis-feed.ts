import type { ChannelListener, Channels } from '../redis/channels.ts';
import type { FeedListener, RoomFeed, Whisper } from './feed.ts';
import { roomKeys } from './keys.ts';
import type { Position } from './position.ts';

export interface RedisFeedOptions {
  readonly channels: Channels;
  readonly deployment: string;
  readonly hub: string;
  /** Publishes on a channel. @throws Error while Redis is away */
  readonly publish: (channel: string, payload: string) => Promise<unknown>;
}

/** Bytes: an epoch, an offset and their colons are shorter. One slice costs less than two searches and two slices. */
const longestHead = 64;
/** No epoch starts with it. */
const whisperMark = '!';

/** What `append.lua` publishes, `epoch:offset:` and the packet; and whispers, `!` and JSON. */
export class RedisFeed implements RoomFeed {
  readonly #options: RedisFeedOptions;
  readonly #listeners = new Map<string, FeedListener>();

  constructor(options: RedisFeedOptions) {
    this.#options = options;
  }

  async subscribe(room: string, listener: FeedListener): Promise<void> {
    await this.#options.channels.subscribe(this.#channelOf(room), ofChannel(listener));
    this.#listeners.set(room, listener);
  }

  async follow(room: string, listener: FeedListener): Promise<void> {
    this.#listeners.set(room, listener);
    await this.#options.channels.follow(this.#channelOf(room), ofChannel(listener));
  }

  unsubscribe(room: string): void {
    this.#listeners.delete(room);
    this.#options.channels.unsubscribe(this.#channelOf(room));
  }

  whisper(room: string, whisper: Whisper): void {
    const payload = whisperMark + JSON.stringify(whisper);
    this.#options
      .publish(this.#channelOf(room), payload)
      .catch(() => this.#listeners.get(room)?.whispered(whisper));
  }

  #channelOf(room: string): string {
    return roomKeys(this.#options.deployment, this.#options.hub, room).channel;
  }
}

function ofChannel(listener: FeedListener): ChannelListener {
  return {
    resubscribed: () => listener.resubscribed(),
    received: (payload) => {
      if (payload[0] === whisperMark.charCodeAt(0)) {
        listener.whispered(JSON.parse(payload.toString('utf8', 1)) as Whisper);
        return;
      }
      const parsed = parse(payload);
      if (parsed) listener.received(parsed.position, parsed.packet);
    },
  };
}

/** Undefined for what no script of ours has published. */
function parse(payload: Buffer): { position: Position; packet: Buffer } | undefined {
  const head = payload.toString('latin1', 0, longestHead);
  const first = head.indexOf(':');
  const second = head.indexOf(':', first + 1);
  if (first <= 0 || second < 0) return undefined;
  const offset = Number(head.slice(first + 1, second));
  if (!Number.isSafeInteger(offset) || offset < 1) return undefined;
  return {
    position: { epoch: head.slice(0, first), offset },
    packet: payload.subarray(second + 1),
  };
}
