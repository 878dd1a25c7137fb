import type { Lost, Message, Position } from '../../app/protocol/hub.ts';
import { placeOf, type RoomHistory } from './room-history.ts';
import { emptyTally, type Tally, Walk } from './walk.ts';

/** What one client of one room was told, in order. */
type Event =
  | { readonly kind: 'message'; readonly at: number; readonly message: Message }
  | { readonly kind: 'lost'; readonly at: number; readonly lost: Lost };

/** One client in one room, from the position at which it joined. */
export class Witness {
  readonly room: string;
  /** `app/client` tells what was lost; a plain `socket.io-client` has only what arrives. */
  readonly tells: boolean;
  readonly events: Event[] = [];
  from: Position | undefined;
  hasLeft = false;
  readonly #clock: () => number;

  constructor(room: string, tells: boolean, clock: () => number) {
    this.room = room;
    this.tells = tells;
    this.#clock = clock;
  }

  delivered(message: Message): void {
    this.events.push({ kind: 'message', at: this.#clock(), message });
  }

  lost(lost: Lost): void {
    this.events.push({ kind: 'lost', at: this.#clock(), lost });
  }

  /** What happens from now on is not for this client. */
  leave(): void {
    this.hasLeft = true;
  }

  get messages(): Message[] {
    return this.events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
  }

  get losses(): Lost[] {
    return this.events.flatMap((event) => (event.kind === 'lost' ? [event.lost] : []));
  }
}

interface Acknowledged extends Position {
  readonly sender: Witness;
  readonly id: string;
  readonly at: number;
}

export interface Report {
  /** Publishes that were acknowledged. */
  readonly acknowledged: number;
  /** Publishes that ended in an error, by its code. */
  readonly refused: number;
  readonly uncertain: number;
  /** Acknowledged, and not where the acknowledgement says. */
  readonly dropped: number;
  /** Of these: the sender was not told. */
  readonly droppedUnsaid: number;
  /** Ids that stand in the log more than once. */
  readonly appendedTwice: number;
  /** Clients of `app/client`. */
  readonly client: Tally;
  /** Clients of `socket.io-client`. */
  readonly plain: Tally;
}

/** Everything that was acknowledged and delivered, and what the contract says of it. */
export class Ledger {
  readonly witnesses: Witness[] = [];
  readonly #acknowledged: Acknowledged[] = [];
  readonly #failed: ('refused' | 'uncertain')[] = [];
  #time = 0;

  witness(room: string, tells: boolean): Witness {
    const witness = new Witness(room, tells, () => this.#tick());
    this.witnesses.push(witness);
    return witness;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  acknowledgedIn(room: string): number {
    return this.#acknowledged.filter(({ sender }) => sender.room === room).length;
  }

  acknowledged(sender: Witness, id: string, position: Position): void {
    this.#acknowledged.push({ sender, id, ...position, at: this.#tick() });
  }

  failed(code: 'refused' | 'uncertain'): void {
    this.#failed.push(code);
  }

  /** @param histories what stands in the log of each room at the end */
  check(histories: ReadonlyMap<string, RoomHistory>): Report {
    const of = (room: string) => histories.get(room) as RoomHistory;
    const dropped = this.#acknowledged.filter((one) => !stands(one, of(one.sender.room)));
    const tally = (tells: boolean) =>
      this.witnesses
        .filter((witness) => witness.tells === tells)
        .map((witness) => judge(witness, of(witness.room)))
        .reduce(sum, emptyTally());
    return {
      acknowledged: this.#acknowledged.length,
      refused: this.#failed.filter((code) => code === 'refused').length,
      uncertain: this.#failed.filter((code) => code === 'uncertain').length,
      dropped: dropped.length,
      droppedUnsaid: dropped.filter((one) => !wasTold(one)).length,
      appendedTwice: [...histories.values()].reduce((count, history) => count + repeats(history), 0),
      client: tally(true),
      plain: tally(false),
    };
  }

  #tick(): number {
    this.#time += 1;
    return this.#time;
  }
}

function stands(one: Acknowledged, { places }: RoomHistory): boolean {
  return places.has(placeOf(one));
}

/** Or is not in the room any more, and asked for nothing. */
function wasTold({ sender, at }: Acknowledged): boolean {
  if (sender.hasLeft) return true;
  return sender.events.some((event) => event.kind === 'lost' && event.lost.acked && event.at > at);
}

function repeats({ entries }: RoomHistory): number {
  return entries.length - new Set(entries.map(({ id }) => id)).size;
}

function sum(one: Tally, other: Tally): Tally {
  const keys = Object.keys(one) as (keyof Tally)[];
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as unknown as Tally;
}

function judge({ from, events, hasLeft }: Witness, history: RoomHistory): Tally {
  const walk = new Walk(history, from);
  for (const event of events) {
    if (event.kind === 'lost') walk.lost();
    else walk.delivered(event.message);
  }
  if (!hasLeft) walk.end();
  return walk.tally;
}
