import type { JoinAnswer, Message, Position } from '../protocol/hub.ts';
import { Acknowledged } from './acknowledged.ts';

/** What to do with a message that was heard. */
export type Verdict = 'deliver' | 'drop' | 'rejoin';

/**
 * Where one client stands in one room.
 *
 * The position is what it delivered last, and never what was acknowledged: others' messages may lie between.
 */
export class RoomCursor {
  readonly #acknowledged = new Acknowledged();
  #position: Position | undefined;
  /** Highest in its epoch: a loss that was told sets the position back behind it. */
  #newest: Position | undefined;

  get position(): Position | undefined {
    return this.#position;
  }

  /** The acknowledged publish that the next join asks about. */
  get acked(): Position | undefined {
    return this.#acknowledged.toAsk(this.#position?.epoch);
  }

  /** A failover may have lost what was acknowledged: the log is to be asked, by a join. */
  get isInDoubt(): boolean {
    return this.#position !== undefined && this.#acknowledged.isInDoubt(this.#position.epoch);
  }

  judge(message: Message): Verdict {
    const position = this.#position;
    if (!position) return 'rejoin';
    if (message.epoch !== position.epoch) return this.#continues(message, position) ? 'deliver' : 'rejoin';
    if (message.offset <= position.offset) return 'drop';
    return message.offset === position.offset + 1 ? 'deliver' : 'rejoin';
  }

  /** An instance that has not seen a failover yet tells once more what was delivered, and is lost. */
  hasDelivered({ epoch, offset }: Message): boolean {
    return this.#newest?.epoch === epoch && offset <= this.#newest.offset;
  }

  delivered(message: Message): void {
    this.#position = { epoch: message.epoch, offset: message.offset };
    if (!this.hasDelivered(message)) this.#newest = this.#position;
    if (message.prev) this.#acknowledged.continued(message);
  }

  /** After the messages of a join were delivered. @param acked that it asked about */
  joined({ epoch, offset, lost }: JoinAnswer, acked?: Position): void {
    this.#position = { epoch, offset };
    if (acked) this.#acknowledged.answered(acked, epoch, !lost?.acked);
  }

  acknowledged(position: Position): void {
    this.#acknowledged.add(position);
  }

  /** A new epoch is no gap if it starts where this client is, and behind what was acknowledged to it. */
  #continues(message: Message, position: Position): boolean {
    const { prev } = message;
    if (prev?.epoch !== position.epoch || prev.offset !== position.offset) return false;
    return this.#acknowledged.allows(message);
  }
}
