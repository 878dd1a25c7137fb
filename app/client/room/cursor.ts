import type { JoinReply, Message, Position } from '../../protocol/hub.ts';
import { Acknowledged } from './acknowledged.ts';

/** As many as a room's log knows of itself. */
const mostEpochs = 16;

/** What to do with a message that arrived. */
export type Action = 'deliver' | 'drop' | 'rejoin';

/**
 * The position of one client in one room.
 *
 * It is what the client delivered last, never what was acknowledged: messages of others may lie between.
 */
export class RoomCursor {
  readonly #acknowledged = new Acknowledged();
  readonly #recent = new RecentDeliveries();
  #position: Position | undefined;
  /**
   * The highest offset that was delivered of each epoch, the latest epoch last. A reported loss sets `position` back
   * below it. And an instance that serves alone leads away from an epoch, which is read from its beginning later.
   */
  readonly #highest = new Map<string, number>();

  get position(): Position | undefined {
    return this.#position;
  }

  /** The acknowledged publish that the next join asks about. */
  get acked(): Position | undefined {
    return this.#acknowledged.toAsk(this.#position?.epoch);
  }

  /** Whether a failover may have lost an acknowledged publish. A join asks the log about it. */
  get isInDoubt(): boolean {
    return this.#position !== undefined && this.#acknowledged.isInDoubt(this.#position.epoch);
  }

  actionFor(message: Message): Action {
    const position = this.#position;
    if (!position) return 'rejoin';
    if (message.epoch !== position.epoch) return this.#continues(message, position) ? 'deliver' : 'rejoin';
    if (message.offset <= position.offset) return 'drop';
    return message.offset === position.offset + 1 ? 'deliver' : 'rejoin';
  }

  /**
   * Whether the message was delivered before. After a loss it may come again, from an instance that has not noticed
   * the failover, or from a sender that got no reply.
   */
  hasDelivered(message: Message): boolean {
    return this.#isBehindHighest(message) || this.#recent.isRepeat(message);
  }

  delivered(message: Message): void {
    this.#position = { epoch: message.epoch, offset: message.offset };
    if (!this.#isBehindHighest(message)) this.#raise(message);
    this.#recent.add(message);
    if (message.prev) this.#acknowledged.continued(message);
  }

  /** Call it after the messages of a join were delivered. @param acked that the join asked about */
  joined({ epoch, offset, lost }: JoinReply, acked?: Position): void {
    this.#position = { epoch, offset };
    if (acked) this.#acknowledged.replied(acked, epoch, !lost?.acked);
  }

  acknowledged(position: Position): void {
    this.#acknowledged.add(position);
  }

  #isBehindHighest({ epoch, offset }: Message): boolean {
    return offset <= (this.#highest.get(epoch) ?? 0);
  }

  #raise({ epoch, offset }: Message): void {
    this.#highest.delete(epoch);
    this.#highest.set(epoch, offset);
    if (this.#highest.size <= mostEpochs) return;
    const [oldest] = this.#highest.keys();
    this.#highest.delete(oldest as string);
  }

  /** A new epoch is no gap if it starts at this client's position, and not before what was acknowledged to it. */
  #continues(message: Message, position: Position): boolean {
    const { prev } = message;
    if (prev?.epoch !== position.epoch || prev.offset !== position.offset) return false;
    return this.#acknowledged.allows(message);
  }
}

/** How long the service remembers a sender's id, in milliseconds. After that the same id is another message. */
const idWindowMs = 120_000;
/**
 * So many messages of the current epoch are remembered, and as many of earlier ones: a second or two of a busy room.
 */
const mostRemembered = 5_000;

/**
 * The messages that a room's handler got lately, by sender and id.
 *
 * A failover that loses writes also loses the ids of their senders. A sender that got no reply publishes again, and
 * the message gets a new position in a new epoch: to the service it is new. A client that has delivered it must not
 * deliver it twice.
 */
class RecentDeliveries {
  #epoch: string | undefined;
  /** When the service accepted each message, by its key. The oldest is first. */
  #ofEpoch = new Map<string, number>();
  #ofEarlier = new Map<string, number>();

  /** Whether the same message was delivered in an earlier epoch. */
  isRepeat({ epoch, from, id, at }: Message): boolean {
    const earlier = epoch === this.#epoch ? this.#ofEarlier : this.#all();
    const saidAt = earlier.get(keyOf(from, id));
    return saidAt !== undefined && Math.abs(at - saidAt) < idWindowMs;
  }

  add({ epoch, from, id, at }: Message): void {
    if (epoch !== this.#epoch) {
      this.#ofEarlier = this.#all();
      this.#ofEpoch = new Map();
      this.#epoch = epoch;
    }
    remember(this.#ofEpoch, keyOf(from, id), at);
  }

  #all(): Map<string, number> {
    const all = new Map(this.#ofEarlier);
    for (const [key, at] of this.#ofEpoch) remember(all, key, at);
    return all;
  }
}

function keyOf(from: string, id: string): string {
  // Names contain no control characters.
  return `${from}\n${id}`;
}

function remember(messages: Map<string, number>, key: string, at: number): void {
  messages.delete(key);
  messages.set(key, at);
  if (messages.size <= mostRemembered) return;
  const [oldest] = messages.keys();
  messages.delete(oldest as string);
}
