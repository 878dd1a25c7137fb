import type { FeedListener, RoomFeed, Whisper } from './feed.ts';
import type { Position } from './position.ts';

/** The feed of a log in this process. */
export class MemoryFeed implements RoomFeed {
  readonly #prefix: string;
  readonly #listeners = new Map<string, FeedListener>();

  /** @param prefix what goes before a message to make it a packet */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  async subscribe(room: string, listener: FeedListener): Promise<void> {
    this.#listeners.set(room, listener);
  }

  follow(room: string, listener: FeedListener): Promise<void> {
    return this.subscribe(room, listener);
  }

  unsubscribe(room: string): void {
    this.#listeners.delete(room);
  }

  whisper(room: string, whisper: Whisper): void {
    this.#listeners.get(room)?.whispered(whisper);
  }

  /** Hands an appended message on. */
  publish(room: string, position: Position, message: string): void {
    this.#listeners.get(room)?.received(position, Buffer.from(`${this.#prefix}${message}]`));
  }
}
