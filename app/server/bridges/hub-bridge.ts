import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { OpenHub } from '../hubs/open.ts';
import { withBase64 } from '../rooms/body/attachments.ts';
import { RefusedError, UncertainError } from '../rooms/log/log.ts';
import { type BridgeMode, type Emission, emitHere } from './emission.ts';

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

interface RoomPublisherOptions {
  readonly hub: Pick<OpenHub, 'rooms' | 'name'>;
  /** Who stands in `from`. */
  readonly from: string;
  readonly log: Logger;
}

/** Messages that wait for the log, of all rooms of a hub, and their size in characters. */
const mostWaiting = 5_000;
const mostCharacters = 32_000_000;
/** A message that the log does not take is tried again for so long, in milliseconds; its id makes it one message. */
const retryForMs = 10_000;
const retryEveryMs = 200;

/** Publishes emissions in rooms, in the order in which they came to each. */
class RoomPublisher {
  readonly #options: RoomPublisherOptions;
  readonly #stop = new AbortController();
  /** What was appended last to each room that something waits for. */
  readonly #tails = new Map<string, Promise<void>>();
  /** Of messages that this wrote: whoever tells others of messages leaves them out. */
  readonly #own = new Set<string>();
  #waiting = 0;
  #characters = 0;

  constructor(options: RoomPublisherOptions) {
    this.#options = options;
  }

  /** Whether it wrote the message with this id, which is being appended now. */
  isOwn(id: string): boolean {
    return this.#own.has(id);
  }

  publish(room: string, event: string, args: readonly unknown[]): void {
    const body = { event, args: withBase64(args) };
    const { length } = JSON.stringify(body);
    if (this.#waiting >= mostWaiting || this.#characters + length > mostCharacters) {
      return void this.#lost(room, new Error('more messages wait for the log than may'));
    }
    this.#waiting += 1;
    this.#characters += length;
    const appended = (this.#tails.get(room) ?? Promise.resolve())
      .then(() => this.#append(room, body))
      .catch((error: Error) => this.#lost(room, error))
      .then(() => {
        this.#waiting -= 1;
        this.#characters -= length;
        if (this.#tails.get(room) === appended) this.#tails.delete(room);
      });
    this.#tails.set(room, appended);
  }

  /** Waits for what is under way, and tries nothing again. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#tails.values());
  }

  async #append(room: string, body: unknown): Promise<void> {
    const id = randomUUID();
    const since = performance.now();
    this.#own.add(id);
    try {
      for (;;) {
        const age = performance.now() - since;
        const error = await this.#try(room, body, { id, age });
        if (!error) return;
        if (age > retryForMs || this.#stop.signal.aborted) throw error;
        await delay(retryEveryMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    } finally {
      this.#own.delete(id);
    }
  }

  /** @returns what may be tried again */
  async #try(room: string, body: unknown, said: { id: string; age: number }): Promise<Error | undefined> {
    const { hub, from } = this.#options;
    try {
      await hub.rooms.publish(room, body, { ...said, from });
      return undefined;
    } catch (error) {
      if (error instanceof RefusedError || error instanceof UncertainError) return error;
      throw error;
    }
  }

  #lost(room: string, { message }: Error): void {
    const { log, hub, from } = this.#options;
    log.warn({ bridge: from, hub: hub.name, room, reason: message }, 'a bridge lost a message');
  }
}
