import type { Position } from '../../app/protocol/hub.ts';
import type { Counted, Stamp } from './counted.ts';
import { Order } from './order.ts';

/** A client as the tally sees it; its instance may change while it counts. */
export interface Party {
  readonly name: string;
  readonly instance: string;
}

export interface Sum {
  readonly senders: number;
  readonly receivers: number;
  /** Publishes that were tried. */
  readonly published: number;
  /** Publishes that were refused, or never acknowledged: nobody is owed these. */
  readonly unacknowledged: number;
  /** Acknowledged messages times receivers. */
  readonly expected: number;
  readonly arrived: number;
  readonly lost: number;
  readonly duplicate: number;
  /** Of these, at another position than the first time: written to the log once more. */
  readonly rewritten: number;
  /** Behind a later message of the room's log, or of the same sender. */
  readonly outOfOrder: number;
  /** Offsets that a receiver passed over. */
  readonly jumped: number;
  /** Publishes that were acknowledged at another position than they were heard at. */
  readonly misplaced: number;
  /** Times that a receiver was told of a loss. */
  readonly told: number;
  /** Expected and lost, by the pair of instances between which they travelled. */
  readonly routes: readonly Route[];
}

export interface Route {
  readonly from: string;
  readonly to: string;
  readonly expected: number;
  readonly lost: number;
}

interface Sent {
  readonly sender: Party;
  /** Where its sender was when it was published. */
  readonly from: string;
  acknowledged?: Position;
}

interface Heard {
  readonly party: Party;
  readonly times: Map<string, number>;
  readonly order: Order;
  rewritten: number;
  told: number;
}

/** Counts who is owed what in one room, and who got it: lost, twice, out of order, unsaid. */
export class Tally {
  readonly room: string;
  readonly #sent = new Map<string, Sent>();
  readonly #heard = new Map<string, Heard>();
  readonly #next = new Map<string, number>();
  /** Where each message was heard first. */
  readonly #places = new Map<string, Position>();
  #acknowledged = 0;
  #arrivals = 0;
  #head: Position | undefined;

  constructor(room: string) {
    this.room = room;
  }

  /** From now on this client is owed every message of the room, its own too. */
  owe(party: Party): void {
    this.#heard.set(party.name, { party, times: new Map(), order: new Order(), rewritten: 0, told: 0 });
  }

  /** The sender's next message: what to publish. */
  next(sender: Party): { id: string; body: Stamp } {
    const seq = this.#next.get(sender.name) ?? 0;
    this.#next.set(sender.name, seq + 1);
    const id = `${sender.name}-${seq}`;
    this.#sent.set(id, { sender, from: sender.instance });
    return { id, body: { sender: sender.name, seq } };
  }

  acknowledge(id: string, position: Position): void {
    const sent = this.#sent.get(id);
    if (!sent || sent.acknowledged) return;
    sent.acknowledged = position;
    this.#acknowledged += 1;
    if (position.offset > (this.#head?.offset ?? 0)) this.#head = position;
  }

  hear(receiver: Party, message: Counted): void {
    const heard = this.#heard.get(receiver.name);
    if (message.room !== this.room || !heard || !this.#sent.has(message.id)) return;
    this.#arrivals += 1;
    const times = (heard.times.get(message.id) ?? 0) + 1;
    heard.times.set(message.id, times);
    if (times === 1) heard.order.hear(message);
    const place = this.#places.get(message.id);
    if (!place) this.#places.set(message.id, message);
    else if (times > 1 && !isSame(place, message)) heard.rewritten += 1;
  }

  /** The receiver was told that messages can't be delivered to it. */
  tell(receiver: Party): void {
    const heard = this.#heard.get(receiver.name);
    if (!heard) return;
    heard.told += 1;
    heard.order.startAnew();
  }

  /** The highest acknowledged position. */
  get head(): Position | undefined {
    return this.#head;
  }

  /** Deliveries so far, repeats among them: while it grows, messages are still on their way. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** Whether everyone has what is acknowledged by now; cheap, so that it can be asked often. */
  get complete(): boolean {
    if (this.#arrivals < this.#acknowledged * this.#heard.size) return false;
    const sum = this.sum();
    return sum.lost === 0;
  }

  sum(): Sum {
    const receivers = [...this.#heard.values()];
    const routes = this.#routes(receivers);
    const expected = this.#acknowledged * receivers.length;
    const lost = total(routes.map((route) => route.lost));
    return {
      senders: this.#next.size,
      receivers: receivers.length,
      published: this.#sent.size,
      unacknowledged: this.#sent.size - this.#acknowledged,
      expected,
      arrived: expected - lost,
      lost,
      duplicate: total(receivers.map(({ times }) => total([...times.values()].map((n) => n - 1)))),
      rewritten: total(receivers.map(({ rewritten }) => rewritten)),
      outOfOrder: total(receivers.map(({ order }) => order.behind)),
      jumped: total(receivers.map(({ order }) => order.jumped)),
      misplaced: [...this.#sent].filter(([id, sent]) => this.#isMisplaced(id, sent)).length,
      told: total(receivers.map(({ told }) => told)),
      routes,
    };
  }

  #routes(receivers: readonly Heard[]): Route[] {
    const routes = new Map<string, { from: string; to: string; expected: number; lost: number }>();
    for (const [id, { from, acknowledged }] of this.#sent) {
      if (!acknowledged) continue;
      for (const { party, times } of receivers) {
        const key = JSON.stringify([from, party.instance]);
        const route = routes.get(key) ?? { from, to: party.instance, expected: 0, lost: 0 };
        route.expected += 1;
        if (!times.has(id)) route.lost += 1;
        routes.set(key, route);
      }
    }
    return [...routes.values()];
  }

  #isMisplaced(id: string, { acknowledged }: Sent): boolean {
    const place = this.#places.get(id);
    return place !== undefined && acknowledged !== undefined && !isSame(place, acknowledged);
  }
}

function isSame(one: Position, other: Position): boolean {
  return one.epoch === other.epoch && one.offset === other.offset;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
