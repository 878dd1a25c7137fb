import type { Message, Position } from '../../../../app/protocol/hub.ts';
import type { ContractClient } from '../../clients/contract-client.ts';
import type { PlainClient } from '../../clients/plain-client.ts';

/** All senders use the same ids: an id belongs to one sender. */
const ids = ['once', 'at-once'] as const;
type Id = (typeof ids)[number];

/** Publishes of one id at the same time. */
const atOnce = 4;

export interface RepeatReport {
  /** Publishes whose id was acknowledged before. */
  readonly here: Replies;
  /** The same, over another connection than the first one. */
  readonly cameBack: Replies;
  /** Publishes of one sender on several instances at the same time. The first one that is acknowledged counts, too. */
  readonly together: Replies;
  /** Messages that must have a position of their own, and positions that were assigned. */
  readonly messages: number;
  readonly positions: number;
  readonly expected: number;
  readonly deliveries: number;
}

type Where = 'here' | 'cameBack' | 'together';

interface Replies {
  readonly number: number;
  /** Replies with another position than the first time. */
  readonly wrong: number;
}

/** Publishes ids again and again in one room, and counts the replies and the deliveries. */
export class Repeats {
  readonly room: string;
  readonly #senders: readonly ContractClient[];
  readonly #areOneUser: boolean;
  readonly #first = new Map<ContractClient, Map<Id, Position>>();
  readonly #replies: Record<Where, { number: number; wrong: number }> = {
    here: { number: 0, wrong: 0 },
    cameBack: { number: 0, wrong: 0 },
    together: { number: 0, wrong: 0 },
  };
  readonly #together: string[] = [];
  readonly #deliveredTo = new Map<ContractClient, Set<string>>();
  #deliveries = 0;

  /** @param areOneUser whether all clients are one user: then each needs its own ids */
  constructor(room: string, senders: readonly ContractClient[], areOneUser = false) {
    this.room = room;
    this.#senders = senders;
    this.#areOneUser = areOneUser;
    for (const sender of senders) this.#deliveredTo.set(sender, new Set());
  }

  delivered(client: ContractClient, message: Message): void {
    this.#deliveries += 1;
    this.#deliveredTo.get(client)?.add(keyOf(message));
  }

  /** Each sender publishes one id twice, and another one several times at once. */
  async publish(): Promise<void> {
    await Promise.all(
      this.#senders.map(async (sender) => {
        const once = await this.#publish(sender, 'once');
        const [burst, ...repeats] = await Promise.all(
          Array.from({ length: atOnce }, () => this.#publish(sender, 'at-once')),
        );
        this.#first.set(
          sender,
          new Map([
            ['once', once],
            ['at-once', burst as Position],
          ]),
        );
        this.#count('here', sender, 'once', await this.#publish(sender, 'once'));
        for (const repeat of repeats) this.#count('here', sender, 'at-once', repeat);
      }),
    );
  }

  /** After they have come back, each publishes both ids again. */
  async publishAgain(senders: readonly ContractClient[]): Promise<void> {
    await Promise.all(
      senders.flatMap((sender) =>
        ids.map(async (id) => this.#count('cameBack', sender, id, await this.#publish(sender, id))),
      ),
    );
  }

  /** Several connections of one sender, on as many instances, publish one id at the same time. */
  async publishTogether(connections: readonly PlainClient[]): Promise<void> {
    const publishes = connections.flatMap((connection) =>
      Array.from({ length: atOnce }, () => connection.publish(this.room, 'together', {})),
    );
    const [first, ...others] = (await Promise.all(publishes)).map(keyOf) as [string, ...string[]];
    this.#together.push(first);
    this.#replies.together = {
      number: publishes.length,
      wrong: others.filter((key) => key !== first).length,
    };
  }

  /**
   * Publishes one more message: a client that has it has all before it. @returns whether every client has it by now
   */
  async publishLast(): Promise<() => boolean> {
    const [sender] = this.#senders as readonly [ContractClient];
    const last = keyOf(await sender.publish(this.room, 'last', { last: true }));
    return () => [...this.#deliveredTo.values()].every((delivered) => delivered.has(last));
  }

  /** Deliveries so far, to all clients. */
  get deliveries(): number {
    return this.#deliveries;
  }

  report(): RepeatReport {
    const own = [...this.#first.values()].flatMap((byId) => [...byId.values()].map(keyOf));
    const positions = [...own, ...this.#together];
    return {
      ...this.#replies,
      messages: positions.length,
      positions: new Set(positions).size,
      expected: (positions.length + 1) * this.#senders.length,
      deliveries: this.#deliveries,
    };
  }

  #publish(sender: ContractClient, id: Id): Promise<Position> {
    const own = this.#areOneUser ? `${sender.name}-${id}` : id;
    return sender.publish(this.room, own, { sender: sender.name });
  }

  #count(where: 'here' | 'cameBack', sender: ContractClient, id: Id, position: Position): void {
    const first = this.#first.get(sender)?.get(id);
    const replies = this.#replies[where];
    replies.number += 1;
    if (!first || keyOf(first) !== keyOf(position)) replies.wrong += 1;
  }
}

function keyOf({ epoch, offset }: Position): string {
  return `${epoch}:${offset}`;
}
