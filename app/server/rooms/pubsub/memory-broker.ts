import type { Broadcast } from '../broadcast.ts';
import type { Position } from '../log/position.ts';
import type { RoomBroker, RoomSubscriber } from './broker.ts';

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
