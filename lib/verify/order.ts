import type { Position } from '../../app/protocol/hub.ts';
import type { Counted, Stamp } from './counted.ts';

/** The order in which one client hears a room, against the room's log and against each sender's own order. */
export class Order {
  #last: Position | undefined;
  readonly #lastSeq = new Map<string, number>();
  #behind = 0;
  #jumped = 0;

  /** Messages that came after a later one. */
  get behind(): number {
    return this.#behind;
  }

  /** Offsets that were passed over, as far as their number is known; a change of epoch that is none counts one. */
  get jumped(): number {
    return this.#jumped;
  }

  hear(message: Counted): void {
    const inLog = this.#follow(message);
    const ofSender = this.#followSender(message.body);
    if (!inLog || !ofSender) this.#behind += 1;
  }

  /** The client was told of a loss: what comes next may lie anywhere. */
  startAnew(): void {
    this.#last = undefined;
  }

  #follow({ epoch, offset, prev }: Counted): boolean {
    const last = this.#last;
    if (last?.epoch === epoch && offset <= last.offset) return false;
    this.#last = { epoch, offset };
    if (last?.epoch === epoch) this.#jumped += offset - last.offset - 1;
    else if (last && !(prev?.epoch === last.epoch && prev.offset === last.offset)) this.#jumped += 1;
    return true;
  }

  #followSender(body: unknown): boolean {
    const { sender, seq } = body as Stamp;
    const last = this.#lastSeq.get(sender) ?? -1;
    this.#lastSeq.set(sender, Math.max(seq, last));
    return seq > last;
  }
}
