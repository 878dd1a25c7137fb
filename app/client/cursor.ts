import type { JoinAnswer, Message, Position } from '../protocol/hub.ts';

/** What to do with a message that was heard. */
export type Verdict = 'deliver' | 'drop' | 'rejoin';

/**
 * Where one client stands in one room.
 *
 * The position is what it delivered last, and never what was acknowledged: others' messages may lie between.
 */
export class RoomCursor {
  #position: Position | undefined;
  #acked: Position | undefined;

  get position(): Position | undefined {
    return this.#position;
  }

  /** The highest acknowledged publish. */
  get acked(): Position | undefined {
    return this.#acked;
  }

  judge(message: Message): Verdict {
    const position = this.#position;
    if (!position) return 'rejoin';
    if (message.epoch !== position.epoch) return this.#continues(message, position) ? 'deliver' : 'rejoin';
    if (message.offset <= position.offset) return 'drop';
    return message.offset === position.offset + 1 ? 'deliver' : 'rejoin';
  }

  delivered(message: Message): void {
    this.#position = { epoch: message.epoch, offset: message.offset };
  }

  /** After the messages of a join were delivered. */
  joined(answer: JoinAnswer): void {
    this.#position = { epoch: answer.epoch, offset: answer.offset };
    if (answer.lost?.acked) this.#acked = undefined;
  }

  /**
   * @returns whether to ask the log if it still has it: it was written in another epoch than the one that this
   *   client is in, so a failover may lie behind it
   */
  acknowledged(position: Position): boolean {
    if (!this.#acked || this.#isLater(position, this.#acked)) this.#acked = position;
    return this.#position !== undefined && this.#position.epoch !== position.epoch;
  }

  /** Offsets go on through epochs, but start anew in a room that expired. */
  #isLater(one: Position, other: Position): boolean {
    if (one.offset > other.offset) return true;
    return one.epoch !== other.epoch && one.epoch === this.#position?.epoch;
  }

  /** A new epoch is no gap if it starts where this client is, and behind what was acknowledged to it. */
  #continues({ epoch, prev }: Message, position: Position): boolean {
    if (prev?.epoch !== position.epoch || prev.offset !== position.offset) return false;
    const acked = this.#acked;
    if (!acked || acked.epoch === epoch) return true;
    return acked.epoch === prev.epoch && acked.offset <= prev.offset;
  }
}
