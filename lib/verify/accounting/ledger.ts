import type { Lost, Message, Position } from '../../../app/protocol/hub.ts';

/** A client, as the accounting sees it. Its instance may change. */
export interface Participant {
  readonly name: string;
  readonly instance: string;
}

/** One message that a client got. A ledger may hold a million of these, so bodies are left out. */
export type Delivery = Position & Pick<Message, 'prev' | 'id'>;

/** What a client got, in order. `at` counts the ledger's entries. It gives an order, not a time. */
type Event =
  | { readonly kind: 'message'; readonly at: number; readonly message: Delivery }
  | { readonly kind: 'lost'; readonly at: number; readonly lost: Lost };

export interface ReceiverOptions {
  /**
   * Whether the client is notified of losses. One of `app/client` is; a plain `socket.io-client` is not. @default true
   */
  readonly isNotified?: boolean;
}

/** One client in the room, from the position at which it joined. */
export class Receiver {
  readonly participant: Participant;
  readonly isNotified: boolean;
  readonly events: Event[] = [];
  /** The position of its join. Undefined: the beginning of the log. */
  from: Position | undefined;
  hasLeft = false;
  readonly #ledger: Ledger;
  readonly #ids = new Set<string>();

  constructor(ledger: Ledger, participant: Participant, { isNotified = true }: ReceiverOptions) {
    this.#ledger = ledger;
    this.participant = participant;
    this.isNotified = isNotified;
  }

  get room(): string {
    return this.#ledger.room;
  }

  delivered(message: Message | (Delivery & Pick<Message, 'room'>)): void {
    if (message.room !== this.room) return;
    const { epoch, offset, prev, id } = message;
    const delivery = { epoch, offset, id, ...(prev && { prev }) };
    this.events.push({ kind: 'message', at: this.#ledger.tick(), message: delivery });
    this.#ids.add(id);
    this.#ledger.noteDelivery(delivery);
  }

  lost(lost: Lost = {}): void {
    this.events.push({ kind: 'lost', at: this.#ledger.tick(), lost });
  }

  /** Messages from now on need not reach this client. */
  leave(): void {
    this.hasLeft = true;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  get messages(): Delivery[] {
    return this.events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
  }

  get losses(): Lost[] {
    return this.events.flatMap((event) => (event.kind === 'lost' ? [event.lost] : []));
  }
}

/** One publish, and its result. */
export interface Publish {
  readonly id: string;
  readonly sender: Participant;
  /** The instance that served its sender when it was published. */
  readonly from: string;
  /** Its index among the publishes of its sender, from 0. */
  readonly seq: number;
  /** Undefined until it is acknowledged, and if it failed. */
  position?: Position;
  /** When it was acknowledged, on the same count as the events of receivers. */
  at?: number;
  /** The code of its error. */
  failure?: string;
}

/** All publishes and deliveries of one room, as its clients saw them. */
export class Ledger {
  readonly room: string;
  readonly receivers: Receiver[] = [];
  readonly #publishes = new Map<string, Publish>();
  readonly #sent = new Map<string, number>();
  /** The position at which each message was delivered first. */
  readonly #firstPositions = new Map<string, Position>();
  #acknowledged = 0;
  #deliveries = 0;
  #head: Position | undefined;
  #entries = 0;

  constructor(room: string) {
    this.room = room;
  }

  /** Adds a client. From now on every message of the room must reach it, its own too. */
  join(participant: Participant, options: ReceiverOptions = {}): Receiver {
    const receiver = new Receiver(this, participant, options);
    this.receivers.push(receiver);
    return receiver;
  }

  /** Records the sender's next message. @param id @default one with the sender's name and a number */
  publish(sender: Participant, id?: string): Publish {
    const seq = this.#sent.get(sender.name) ?? 0;
    this.#sent.set(sender.name, seq + 1);
    const publish: Publish = { id: id ?? `${sender.name}-${seq}`, sender, from: sender.instance, seq };
    this.#publishes.set(publish.id, publish);
    return publish;
  }

  acknowledge(publish: Publish, { epoch, offset }: Position): void {
    publish.position = { epoch, offset };
    publish.at = this.tick();
    this.#acknowledged += 1;
    if (offset > (this.#head?.offset ?? 0)) this.#head = publish.position;
  }

  fail(publish: Publish, code: string): void {
    publish.failure = code;
  }

  get publishes(): readonly Publish[] {
    return [...this.#publishes.values()];
  }

  publishOf(id: string): Publish | undefined {
    return this.#publishes.get(id);
  }

  /** The highest acknowledged position. */
  get head(): Position | undefined {
    return this.#head;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Deliveries of the ledger's own messages, including repeats. While it grows, messages are still on their way. */
  get deliveries(): number {
    return this.#deliveries;
  }

  /** Whether every client has all that is acknowledged by now. It is cheap, so it can be called often. */
  get isComplete(): boolean {
    if (this.#deliveries < this.#acknowledged * this.receivers.length) return false;
    for (const { id, position } of this.#publishes.values()) {
      if (position && !this.receivers.every((receiver) => receiver.has(id))) return false;
    }
    return true;
  }

  firstPositionOf(id: string): Position | undefined {
    return this.#firstPositions.get(id);
  }

  noteDelivery({ id, epoch, offset }: Delivery): void {
    if (!this.#publishes.has(id)) return;
    this.#deliveries += 1;
    if (!this.#firstPositions.has(id)) this.#firstPositions.set(id, { epoch, offset });
  }

  tick(): number {
    this.#entries += 1;
    return this.#entries;
  }
}

export function isSamePosition(one: Position, other: Position): boolean {
  return one.epoch === other.epoch && one.offset === other.offset;
}
