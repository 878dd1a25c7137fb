/** A client as the tally sees it; its instance may change while it counts. */
export interface Party {
  readonly name: string;
  readonly instance: string;
}

/** What a counted message carries: who sent it, and its place among that sender's. */
export interface Stamp {
  readonly sender: string;
  readonly seq: number;
}

/** As much of a hub's message as counting needs. */
export interface Counted {
  readonly room: string;
  readonly id: string;
  readonly body: unknown;
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
  readonly outOfOrder: number;
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
  acknowledged: boolean;
}

interface Heard {
  readonly party: Party;
  readonly times: Map<string, number>;
  readonly lastSeq: Map<string, number>;
  outOfOrder: number;
}

/** Counts who is owed what in one room, and who got it: lost, twice, out of order. */
export class Tally {
  readonly room: string;
  readonly #sent = new Map<string, Sent>();
  readonly #heard = new Map<string, Heard>();
  readonly #next = new Map<string, number>();
  #acknowledged = 0;
  #arrivals = 0;

  constructor(room: string) {
    this.room = room;
  }

  /** From now on this client is owed every message of the room, its own too. */
  owe(party: Party): void {
    this.#heard.set(party.name, { party, times: new Map(), lastSeq: new Map(), outOfOrder: 0 });
  }

  /** The sender's next message: what to publish. */
  next(sender: Party): { id: string; body: Stamp } {
    const seq = this.#next.get(sender.name) ?? 0;
    this.#next.set(sender.name, seq + 1);
    const id = `${sender.name}-${seq}`;
    this.#sent.set(id, { sender, from: sender.instance, acknowledged: false });
    return { id, body: { sender: sender.name, seq } };
  }

  acknowledge(id: string): void {
    const sent = this.#sent.get(id);
    if (!sent || sent.acknowledged) return;
    sent.acknowledged = true;
    this.#acknowledged += 1;
  }

  hear(receiver: Party, message: Counted): void {
    const heard = this.#heard.get(receiver.name);
    if (message.room !== this.room || !heard || !this.#sent.has(message.id)) return;
    this.#arrivals += 1;
    const times = (heard.times.get(message.id) ?? 0) + 1;
    heard.times.set(message.id, times);
    if (times === 1) followOrder(heard, message.body as Stamp);
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
    const routes = new Map<string, { from: string; to: string; expected: number; lost: number }>();
    const receivers = [...this.#heard.values()];
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
    const expected = this.#acknowledged * receivers.length;
    const lost = total([...routes.values()].map((route) => route.lost));
    return {
      senders: this.#next.size,
      receivers: receivers.length,
      published: this.#sent.size,
      unacknowledged: this.#sent.size - this.#acknowledged,
      expected,
      arrived: expected - lost,
      lost,
      duplicate: total(receivers.map(({ times }) => total([...times.values()].map((n) => n - 1)))),
      outOfOrder: total(receivers.map((heard) => heard.outOfOrder)),
      routes: [...routes.values()],
    };
  }
}

function followOrder(heard: Heard, { sender, seq }: Stamp): void {
  const last = heard.lastSeq.get(sender) ?? -1;
  if (seq < last) heard.outOfOrder += 1;
  heard.lastSeq.set(sender, Math.max(seq, last));
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
