import type { ClientHub } from '../../../client/hub.ts';
import type { ClientRoom } from '../../../client/room/room.ts';
import type { Message } from '../../../protocol/hub.ts';
import { openOwnHub } from '../hubs/use-hub.ts';

/** What the clients of a meter have seen so far. */
export interface Count {
  readonly published: number;
  readonly acknowledged: number;
  /** Deliveries to all clients together. */
  readonly delivered: number;
  /** Messages that were acknowledged and not delivered to a client that got a later one. */
  readonly lost: number;
  readonly duplicate: number;
  readonly outOfOrder: number;
  /** Losses that the service reported to clients. */
  readonly reported: number;
  /** Clients connected now. */
  readonly connected: number;
}

const clients = 6;
const eachEveryMs = 500;

interface Body {
  readonly sender: number;
  readonly number: number;
}

/** Several clients in rooms of their own that publish all the time, and count what arrives. */
export class Meter {
  readonly #hubs: ClientHub<Body>[] = [];
  readonly #witnesses: Witness[] = [];
  readonly #timers: number[] = [];
  #published = 0;
  #acknowledged = 0;
  #reported = 0;

  constructor(rooms: number) {
    const name = `meter-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
    const names = Array.from({ length: rooms }, (_, index) => `${name}-${index}`);
    for (let sender = 0; sender < clients; sender += 1) this.#start(sender, names);
  }

  count(): Count {
    const sum = (of: (witness: Witness) => number) =>
      this.#witnesses.reduce((total, witness) => total + of(witness), 0);
    return {
      published: this.#published,
      acknowledged: this.#acknowledged,
      delivered: sum(({ delivered }) => delivered),
      lost: sum(({ missing }) => missing),
      duplicate: sum(({ duplicate }) => duplicate),
      outOfOrder: sum(({ outOfOrder }) => outOfOrder),
      reported: this.#reported,
      connected: this.#hubs.filter(({ state }) => state === 'connected').length,
    };
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const hub of this.#hubs) hub.close();
  }

  #start(sender: number, names: readonly string[]): void {
    const hub = openOwnHub('chat', true) as ClientHub<Body>;
    this.#hubs.push(hub);
    const rooms = names.map((name) => this.#join(hub, name));
    void this.#publishFrom(sender, rooms);
  }

  #join(hub: ClientHub<Body>, name: string): ClientRoom<Body> {
    const witness = new Witness();
    this.#witnesses.push(witness);
    return hub.join(name, {
      onMessage: (message) => witness.saw(message),
      onLost: () => {
        this.#reported += 1;
      },
    });
  }

  /** Starts when all clients had the time to join, so that each can expect every message; takes the rooms in turn. */
  async #publishFrom(sender: number, rooms: readonly ClientRoom<Body>[]): Promise<void> {
    await Promise.all(rooms.map((room) => room.joined.catch(() => undefined)));
    let number = 0;
    const publish = () => {
      number += 1;
      this.#published += 1;
      const room = rooms[(sender + number) % rooms.length] as ClientRoom<Body>;
      room.publish({ sender, number }).then(
        () => {
          this.#acknowledged += 1;
        },
        () => undefined,
      );
    };
    this.#timers.push(window.setInterval(publish, eachEveryMs));
  }
}

/** Counts what one client got in one room, by the positions in the room's log. */
class Witness {
  delivered = 0;
  duplicate = 0;
  outOfOrder = 0;
  missing = 0;
  #epoch: string | undefined;
  #offset = 0;
  readonly #ids = new Set<string>();

  saw({ epoch, offset, prev, id }: Message): void {
    this.delivered += 1;
    if (this.#ids.has(id)) this.duplicate += 1;
    this.#ids.add(id);
    const before = epoch === this.#epoch ? this.#offset : prev?.offset;
    if (before !== undefined && this.#epoch !== undefined) {
      if (offset <= before) this.outOfOrder += 1;
      else this.missing += offset - before - 1;
    }
    this.#epoch = epoch;
    this.#offset = offset;
  }
}
