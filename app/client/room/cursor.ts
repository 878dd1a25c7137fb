import type { JoinReply, Message, Position } from '../../protocol/hub.ts';

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

interface Entry extends Position {
  /** The newest epoch of the log that is known to contain it. */
  readonly holder: string;
  /** Whether the log was asked about it since the newest epoch of all entries. */
  readonly isSeen: boolean;
}

/**
 * The publishes that were acknowledged to this client: the highest of each epoch, oldest first.
 *
 * One for each epoch, because a failover may lose the end of an epoch while replies of the next one arrive. The newest
 * alone would hide the lost one.
 */
class Acknowledged {
  #entries: readonly Entry[] = [];

  add({ epoch, offset }: Position): void {
    const known = this.#entries.find((entry) => entry.epoch === epoch);
    if (known && known.offset >= offset) return;
    const others = this.#entries.filter((entry) => entry !== known);
    // A check before the new epoch says nothing about a failover in between.
    const seen = known ? others : others.map((entry) => ({ ...entry, isSeen: false }));
    this.#set([...seen, { epoch, offset, holder: epoch, isSeen: false }]);
  }

  /** Whether something that was acknowledged may be lost, for a client that is in this epoch. */
  isInDoubt(epoch: string): boolean {
    return this.#entries.some(({ holder }) => holder !== epoch);
  }

  /** The position to ask the log about. @param epoch that this client is in */
  toAsk(epoch: string | undefined): Position | undefined {
    const entry =
      this.#entries.find(({ isSeen }) => !isSeen) ??
      this.#entries.find(({ holder }) => holder !== epoch) ??
      this.#entries.at(-1);
    return entry && { epoch: entry.epoch, offset: entry.offset };
  }

  /** Call it when the log, in its current epoch, said whether it contains the position that was asked about. */
  replied(asked: Position, epoch: string, isStill: boolean): void {
    const isAsked = (entry: Entry) => entry.epoch === asked.epoch && entry.offset <= asked.offset;
    const kept = isStill ? this.#entries : this.#entries.filter((entry) => !isAsked(entry));
    this.#set(kept.map((entry) => (isAsked(entry) ? { ...entry, holder: epoch, isSeen: true } : entry)));
  }

  /** Whether a new epoch that starts there contains all that was acknowledged. */
  allows({ epoch, prev }: Message): boolean {
    return this.#entries.every((entry) => entry.holder === epoch || isHeldUpTo(entry, prev));
  }

  /** Call it when a message was delivered that says where its epoch starts. */
  continued({ epoch, prev }: Message): void {
    this.#set(this.#entries.map((entry) => (isHeldUpTo(entry, prev) ? { ...entry, holder: epoch } : entry)));
  }

  /** Of the entries that one epoch contains, the highest is enough: it would be lost first. */
  #set(entries: readonly Entry[]): void {
    const isBelow = (one: Entry, other: Entry) => one.holder === other.holder && one.offset < other.offset;
    this.#entries = entries.filter((entry) => !entries.some((other) => isBelow(entry, other)));
  }
}

function isHeldUpTo({ holder, offset }: Entry, end: Position | undefined): boolean {
  return holder === end?.epoch && offset <= end.offset;
}
