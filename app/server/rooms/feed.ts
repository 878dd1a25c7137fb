import type { Position } from './position.ts';

/**
 * What instances say to each other about a room beside its log: it is not kept, not numbered, and lost where
 * nobody listens.
 */
export type Whisper =
  | { readonly kind: 'event'; readonly event: string; readonly payload: unknown }
  /** Who is not to be in the room any more. */
  | { readonly kind: 'expel'; readonly subject: string };

/** What a room hears from its feed. */
export interface FeedListener {
  /** @param packet Engine.IO's text of the message, `42/chat,["message",{…}]` */
  received(position: Position, packet: Buffer): void;
  whispered(whisper: Whisper): void;
  /** The subscription was interrupted and stands again: the log has what was missed. */
  resubscribed(): void;
}

/** Tells an instance what is appended to the rooms that it has members in. */
export interface RoomFeed {
  /**
   * Resolves when everything appended from now on will be heard.
   * @throws Error when the feed is away
   */
  subscribe(room: string, listener: FeedListener): Promise<void>;
  /** The same, and where the feed is away it is subscribed as soon as that is back. */
  follow(room: string, listener: FeedListener): Promise<void>;
  unsubscribe(room: string): void;
  /** Tells every instance that has members in the room; this one too, and alone where the feed is away. */
  whisper(room: string, whisper: Whisper): void;
}
