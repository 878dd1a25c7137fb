import type { Broadcast } from '../broadcast.ts';
import type { Position } from '../log/position.ts';

/** What a room hears from the broker. */
export interface RoomSubscriber {
  /** @param bytes of the message's JSON text in UTF-8; to be kept they must be copied */
  received(position: Position, bytes: Buffer): void;
  /**
   * A message that was appended on this instance, before the subscription brings it: to be served if nothing lies between,
   * and to be left for that otherwise.
   */
  appended(position: Position, text: string): void;
  /** What stands there was served already. */
  isServed(position: Position): boolean;
  receivedBroadcast(broadcast: Broadcast): void;
  /** The subscription was interrupted and stands again: the log has what was missed. */
  resubscribed(): void;
}

/** Pub/sub of a hub's rooms: notifies an instance of what is appended to the rooms that it has members in. */
export interface RoomBroker {
  /**
   * Resolves when everything appended from now on will be heard.
   * @throws UnreadableError when the broker is away
   */
  subscribe(room: string, subscriber: RoomSubscriber): Promise<void>;
  /** The same, and where the broker is away it is subscribed as soon as that is back. */
  follow(room: string, subscriber: RoomSubscriber): Promise<void>;
  unsubscribe(room: string): void;
  /** Reaches every instance that has members in the room; this one too, and it alone where the broker is away. */
  broadcast(room: string, broadcast: Broadcast): void;
}

/** Pub/sub of a log in this process. */
export class MemoryBroker implements RoomBroker {
  readonly #subscribers = new Map<string, RoomSubscriber>();

  async subscribe(room: string, subscriber: RoomSubscriber): Promise<void> {
    this.#subscribers.set(room, subscriber);
  }

  follow(room: string, subscriber: RoomSubscriber): Promise<void> {
    return this.subscribe(room, subscriber);
  }

  unsubscribe(room: string): void {
    this.#subscribers.delete(room);
  }

  broadcast(room: string, broadcast: Broadcast): void {
    this.#subscribers.get(room)?.receivedBroadcast(broadcast);
  }

  /** Hands an appended message on. */
  publish(room: string, position: Position, message: string): void {
    this.#subscribers.get(room)?.received(position, Buffer.from(message));
  }
}
