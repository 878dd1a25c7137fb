import type { Logger } from 'pino';
import type { OpenHub } from '../hubs/open.ts';
import type { BridgeMode, Emission } from './emission.ts';
import { emitHere } from './local-members.ts';
import { RoomPublisher } from './room-publisher.ts';

export interface HubBridgeOptions {
  readonly hub: OpenHub;
  readonly mode: BridgeMode;
  /** The bridge's name, which stands in `from` of what it publishes. */
  readonly name: string;
  /** Every instance hears of each emission: this one writes to the logs. */
  readonly isOnDuty: () => boolean;
  readonly log: Logger;
}

/** What Socket.IO servers of both languages make of a connection's id; a room of that name would be kept for nobody. */
const looksLikeId = /^[A-Za-z0-9_-]{20}$/;

/** Takes what other programs emit to one hub. */
export class HubBridge {
  readonly hub: OpenHub;
  readonly mode: BridgeMode;
  readonly #isOnDuty: () => boolean;
  readonly #publisher: RoomPublisher;

  constructor({ hub, mode, name, isOnDuty, log }: HubBridgeOptions) {
    this.hub = hub;
    this.mode = mode;
    this.#isOnDuty = isOnDuty;
    this.#publisher = new RoomPublisher({ hub, from: name, log });
  }

  /** Whether this bridge wrote the message with this id, which is being appended now. */
  isOwn(id: string): boolean {
    return this.#publisher.isOwn(id);
  }

  /** What is for no room, and what is for one connection, has no log to go to: it is emitted in both modes. */
  take(emission: Emission): void {
    const { rooms } = emission;
    if (this.mode === 'emit' || rooms === undefined) return void emitHere(this.hub, emission);
    const connections = rooms.filter((room) => looksLikeId.test(room));
    if (connections.length > 0) emitHere(this.hub, { ...emission, rooms: connections });
    if (!this.#isOnDuty()) return;
    for (const room of new Set(rooms)) {
      if (!looksLikeId.test(room)) this.#publisher.publish(room, emission.event, emission.args);
    }
  }

  close(): Promise<void> {
    return this.#publisher.close();
  }
}
