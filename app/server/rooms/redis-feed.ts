import type { ChannelListener, Channels } from '../redis/channels.ts';
import type { FeedListener, RoomFeed } from './feed.ts';
import { roomKeys } from './keys.ts';
import type { Position } from './position.ts';

const colon = 0x3a;

/** What `append.lua` publishes: `epoch:offset:` and the packet. */
export class RedisFeed implements RoomFeed {
  readonly #channels: Channels;
  readonly #channelOf: (room: string) => string;

  constructor(channels: Channels, deployment: string, hub: string) {
    this.#channels = channels;
    this.#channelOf = (room) => roomKeys(deployment, hub, room).channel;
  }

  subscribe(room: string, listener: FeedListener): Promise<void> {
    return this.#channels.subscribe(this.#channelOf(room), ofChannel(listener));
  }

  follow(room: string, listener: FeedListener): Promise<void> {
    return this.#channels.follow(this.#channelOf(room), ofChannel(listener));
  }

  unsubscribe(room: string): void {
    this.#channels.unsubscribe(this.#channelOf(room));
  }
}

function ofChannel(listener: FeedListener): ChannelListener {
  return {
    resubscribed: () => listener.resubscribed(),
    received: (payload) => {
      const parsed = parse(payload);
      if (parsed) listener.received(parsed.position, parsed.packet);
    },
  };
}

/** Undefined for what no script of ours has published. */
function parse(payload: Buffer): { position: Position; packet: Buffer } | undefined {
  const first = payload.indexOf(colon);
  const second = payload.indexOf(colon, first + 1);
  if (first <= 0 || second < 0) return undefined;
  const offset = Number(payload.toString('latin1', first + 1, second));
  if (!Number.isSafeInteger(offset) || offset < 1) return undefined;
  return {
    position: { epoch: payload.toString('latin1', 0, first), offset },
    packet: payload.subarray(second + 1),
  };
}
