import type { Position } from '../../../app/protocol/hub.ts';
import { type Delivery, isSamePosition, type Ledger, type Publish, type Receiver } from './ledger.ts';

/** What the clients' deliveries show without a look at the room's log. */
export interface DeliveryReport {
  readonly senders: number;
  readonly receivers: number;
  /** Publishes that were tried. */
  readonly published: number;
  /** Publishes that were rejected, or never acknowledged. They need not be delivered. */
  readonly unacknowledged: number;
  /** Acknowledged messages times receivers. */
  readonly expected: number;
  readonly arrived: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Those of `duplicated` at another position than the first time: they were written to the log again. */
  readonly rewritten: number;
  /** Deliveries after a later message of the room's log, or of the same sender. */
  readonly outOfOrder: number;
  /** Offsets that a receiver never got, between two that it got. */
  readonly skipped: number;
  /** Publishes that were delivered at another position than the acknowledged one. */
  readonly misplaced: number;
  /** Times that a receiver was notified of a loss. */
  readonly notified: number;
  /** Expected and lost deliveries for each pair of instances. */
  readonly routes: readonly Route[];
}

export interface Route {
  readonly from: string;
  readonly to: string;
  readonly expected: number;
  readonly lost: number;
}

export function reportDeliveries(ledger: Ledger): DeliveryReport {
  const { publishes, receivers } = ledger;
  const routes = routesOf(publishes, receivers);
  const expected = ledger.acknowledged * receivers.length;
  const lost = total(routes.map((route) => route.lost));
  const each = receivers.map((receiver) => follow(ledger, receiver));
  return {
    senders: new Set(publishes.map(({ sender }) => sender.name)).size,
    receivers: receivers.length,
    published: publishes.length,
    unacknowledged: publishes.length - ledger.acknowledged,
    expected,
    arrived: expected - lost,
    lost,
    duplicated: total(each.map(({ duplicated }) => duplicated)),
    rewritten: total(each.map(({ rewritten }) => rewritten)),
    outOfOrder: total(each.map(({ outOfOrder }) => outOfOrder)),
    skipped: total(each.map(({ skipped }) => skipped)),
    misplaced: publishes.filter((publish) => isMisplaced(ledger, publish)).length,
    notified: total(receivers.map(({ losses }) => losses.length)),
    routes,
  };
}

/** Goes through the ledger's own messages that one client got. */
function follow(ledger: Ledger, { events }: Receiver): Order {
  const order = new Order();
  for (const event of events) {
    if (event.kind === 'lost') {
      order.lost();
      continue;
    }
    const publish = ledger.publishOf(event.message.id);
    if (publish) order.delivered(event.message, publish, ledger.firstPositionOf(publish.id));
  }
  return order;
}

/** Checks the order of one client's deliveries against the room's log and against each sender's order. */
class Order {
  duplicated = 0;
  rewritten = 0;
  outOfOrder = 0;
  /**
   * The number of skipped offsets, as far as it is known. An epoch that does not say where the one before ended counts
   * as one.
   */
  skipped = 0;
  readonly #ids = new Set<string>();
  readonly #lastSeq = new Map<string, number>();
  #last: Position | undefined;

  delivered(message: Delivery, publish: Publish, first: Position | undefined): void {
    if (this.#ids.has(message.id)) {
      this.duplicated += 1;
      if (first && !isSamePosition(first, message)) this.rewritten += 1;
      return;
    }
    this.#ids.add(message.id);
    const isBehindLog = this.#isBehindLog(message);
    const isBehindSender = this.#isBehindSender(publish);
    if (isBehindLog || isBehindSender) this.outOfOrder += 1;
  }

  /** After a loss, the next message may have any position. */
  lost(): void {
    this.#last = undefined;
  }

  #isBehindLog({ epoch, offset, prev }: Delivery): boolean {
    const last = this.#last;
    if (last?.epoch === epoch && offset <= last.offset) return true;
    this.#last = { epoch, offset };
    if (last?.epoch === epoch) this.skipped += offset - last.offset - 1;
    else if (last && !(prev && isSamePosition(prev, last))) this.skipped += 1;
    return false;
  }

  #isBehindSender({ sender, seq }: Publish): boolean {
    const last = this.#lastSeq.get(sender.name) ?? -1;
    this.#lastSeq.set(sender.name, Math.max(seq, last));
    return seq < last;
  }
}

function routesOf(publishes: readonly Publish[], receivers: readonly Receiver[]): Route[] {
  const routes = new Map<string, { from: string; to: string; expected: number; lost: number }>();
  for (const { id, from, position } of publishes) {
    if (!position) continue;
    for (const receiver of receivers) {
      const to = receiver.participant.instance;
      const key = JSON.stringify([from, to]);
      const route = routes.get(key) ?? { from, to, expected: 0, lost: 0 };
      route.expected += 1;
      if (!receiver.has(id)) route.lost += 1;
      routes.set(key, route);
    }
  }
  return [...routes.values()];
}

function isMisplaced(ledger: Ledger, { id, position }: Publish): boolean {
  const first = ledger.firstPositionOf(id);
  return first !== undefined && position !== undefined && !isSamePosition(first, position);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
