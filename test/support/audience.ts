import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import type { HubError } from '../../app/client/errors.ts';
import type { ClientHub } from '../../app/client/hub.ts';
import type { ClientRoom, JoinOptions } from '../../app/client/room.ts';
import type { Acknowledgement, JoinAnswer, Message, Position } from '../../app/protocol/hub.ts';
import { Ledger, type Witness } from './ledger.ts';
import { eventually } from './wait.ts';

/** A client of `app/client` in one room, and what the ledger knows of it. */
export interface Member {
  readonly hub: ClientHub<number>;
  readonly room: ClientRoom<number>;
  readonly witness: Witness;
}

/** The clients of a test, all that they publish, and all that they hear. */
export class Audience {
  readonly ledger = new Ledger();
  readonly members: Member[] = [];
  #published = 0;

  /** Joins with the delivery contract; resolves when the client is in the room. */
  async join(hub: ClientHub<number>, room: string, options: JoinOptions = {}): Promise<Member> {
    const witness = this.ledger.witness(room, true);
    const handlers = {
      onMessage: (message: Message) => witness.delivered(message),
      onLost: (lost: object) => witness.lost(lost),
      onRefused: (error: HubError) => {
        throw error;
      },
    };
    const joined = hub.join(room, handlers, options);
    const member = { hub, room: joined, witness };
    this.members.push(member);
    witness.from = options.since;
    await joined.joined;
    witness.from ??= before(witness.messages[0]) ?? joined.position;
    return member;
  }

  /** Joins without it: what arrives is all there is. */
  async joinPlain(socket: Socket, room: string): Promise<Witness> {
    const witness = this.ledger.witness(room, false);
    socket.on('message', (message: Message) => message.room === room && witness.delivered(message));
    const answer: Acknowledgement<JoinAnswer> = await socket.emitWithAck('join', { room });
    if (!answer.ok) throw new Error(`a plain client could not join: ${answer.error.message}`);
    witness.from = { epoch: answer.epoch, offset: answer.offset };
    return witness;
  }

  /**
   * Publishes so many messages, the members in turn, at an even pace.
   * @returns resolves when each was acknowledged, or ended in an error
   */
  async publish(count: number, perSecond: number, senders: readonly Member[] = this.members): Promise<void> {
    const start = Date.now();
    const settled: Promise<unknown>[] = [];
    for (let n = 0; n < count; n += 1) {
      const wait = start + (n * 1000) / perSecond - Date.now();
      if (wait > 0) await delay(wait);
      settled.push(this.publishOnce(senders[n % senders.length] as Member));
    }
    await Promise.all(settled);
  }

  /** @returns where it stands; undefined when it ended in an error */
  async publishOnce({ room, witness }: Member): Promise<Position | undefined> {
    this.#published += 1;
    const id = `n${this.#published}`;
    try {
      const position = await room.publish(this.#published, { id });
      this.ledger.acknowledged(witness, id, position);
      return position;
    } catch (error) {
      const { code } = error as HubError;
      if (code !== 'refused' && code !== 'uncertain') throw error;
      this.ledger.failed(code);
      return undefined;
    }
  }

  /** Resolves when clients that were there from the start have all that was acknowledged in their rooms. */
  async untilAllHeard(): Promise<void> {
    await eventually(
      'every client to have every message',
      () =>
        this.ledger.witnesses.every(
          ({ messages, room }) => messages.length === this.ledger.acknowledgedIn(room),
        ),
      40_000,
    );
  }

  /**
   * One more message in each room; resolves when every client, plain ones too, stands behind it: has had it, or
   * was told of a loss that covers it.
   */
  async level(): Promise<void> {
    const senders = new Map(this.members.map((member) => [member.witness.room, member]));
    const last = new Map<string, Position>();
    for (const [room, sender] of senders) last.set(room, (await this.publishOnce(sender)) as Position);
    const standsBehind = (position: Position | undefined, room: string) => {
      const { epoch, offset } = last.get(room) as Position;
      return position?.epoch === epoch && position.offset >= offset;
    };
    await eventually(
      'every client to stand behind the last message',
      () =>
        this.members.every(
          ({ room, witness }) => witness.hasLeft || standsBehind(room.position, room.name),
        ) &&
        this.ledger.witnesses.every(
          ({ tells, messages, room }) => tells || standsBehind(messages.at(-1), room),
        ),
      40_000,
    );
  }

  get rooms(): string[] {
    return [...new Set(this.ledger.witnesses.map(({ room }) => room))];
  }
}

/** Where a client stood that has delivered its first message already. */
function before(first: Message | undefined): Position | undefined {
  return first && (first.prev ?? { epoch: first.epoch, offset: first.offset - 1 });
}
