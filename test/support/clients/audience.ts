import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import type { ClientHub } from '../../../app/client/hub.ts';
import type { HubError } from '../../../app/client/requests/errors.ts';
import type { ClientRoom, JoinOptions } from '../../../app/client/room/room.ts';
import type { Acknowledgement, JoinReply, Lost, Message, Position } from '../../../app/protocol/hub.ts';
import { type Audit, auditDeliveries, type RoomLog } from '../../../lib/verify/accounting/audit.ts';
import { type Delivery, Ledger, type Receiver } from '../../../lib/verify/accounting/ledger.ts';
import { eventually } from '../wait.ts';

/** A client that joins rooms with the delivery contract, over whatever protocol. */
export type RoomClient = Pick<ClientHub<number>, 'join'> & Partial<Pick<ClientHub<number>, 'instance'>>;

/** A client of `app/client` in one room, and what the room's ledger knows of it. */
export interface Member<Client extends RoomClient = ClientHub<number>> {
  readonly hub: Client;
  readonly room: ClientRoom<number>;
  readonly receiver: Receiver;
  /** What it heard of its room's shard: away, or back. */
  readonly degraded: readonly boolean[];
}

export interface AudienceOptions {
  /** How long a publish is tried, in milliseconds. @default as long as the client does */
  readonly forMs?: number;
}

/** The clients of a test, all that they publish, and all that they hear. */
export class Audience<Client extends RoomClient = ClientHub<number>> {
  readonly members: Member<Client>[] = [];
  readonly #options: AudienceOptions;
  readonly #ledgers = new Map<string, Ledger>();
  #published = 0;
  /** By room, in milliseconds. */
  readonly #slowest = new Map<string, number>();

  constructor(options: AudienceOptions = {}) {
    this.#options = options;
  }

  /** Joins with the delivery contract; resolves when the client is in the room. */
  async join(hub: Client, room: string, options: JoinOptions = {}): Promise<Member<Client>> {
    const receiver = this.#enter(room, { of: hub, isNotified: true });
    const degraded: boolean[] = [];
    const handlers = {
      onDegraded: (isDegraded: boolean) => degraded.push(isDegraded),
      onMessage: (message: Message) => receiver.delivered(message),
      onLost: (lost: Lost) => receiver.lost(lost),
      onRefused: (error: HubError) => {
        throw error;
      },
    };
    const joined = hub.join(room, handlers, options);
    const member = { hub, room: joined, receiver, degraded };
    this.members.push(member);
    receiver.from = options.since;
    await joined.joined;
    receiver.from ??= before(receiver.messages[0]) ?? joined.position;
    return member;
  }

  /** Joins without it: what arrives is all there is. */
  async joinPlain(socket: Socket, room: string): Promise<Receiver> {
    const receiver = this.#enter(room, { isNotified: false });
    socket.on('message', (message: Message) => receiver.delivered(message));
    const answer: Acknowledgement<JoinReply> = await socket.emitWithAck('join', { room });
    if (!answer.ok) throw new Error(`a plain client could not join: ${answer.error.message}`);
    receiver.from = { epoch: answer.epoch, offset: answer.offset };
    return receiver;
  }

  /**
   * Publishes so many messages, the members in turn, at an even pace.
   * @returns resolves when each was acknowledged, or ended in an error
   */
  async publish(
    count: number,
    perSecond: number,
    senders: readonly Member<Client>[] = this.members,
  ): Promise<void> {
    const start = Date.now();
    const pending: Promise<unknown>[] = [];
    for (let n = 0; n < count; n += 1) {
      const wait = start + (n * 1000) / perSecond - Date.now();
      if (wait > 0) await delay(wait);
      pending.push(this.publishOnce(senders[n % senders.length] as Member<Client>));
    }
    await Promise.all(pending);
  }

  /** @returns where it stands; undefined when it ended in an error */
  async publishOnce({
    room,
    receiver,
  }: Pick<Member<Client>, 'room' | 'receiver'>): Promise<Position | undefined> {
    this.#published += 1;
    const ledger = this.#ledgerOf(room.name);
    const publish = ledger.publish(receiver.participant, `n${this.#published}`);
    const startedAt = performance.now();
    try {
      const position = await room.publish(this.#published, { id: publish.id, ...this.#options });
      ledger.acknowledge(publish, position);
      const ms = performance.now() - startedAt;
      this.#slowest.set(room.name, Math.max(ms, this.#slowest.get(room.name) ?? 0));
      return position;
    } catch (error) {
      const { code } = error as HubError;
      if (code !== 'refused' && code !== 'uncertain') throw error;
      ledger.fail(publish, code);
      return undefined;
    }
  }

  /** Resolves when clients that were there from the start have all that was acknowledged in their rooms. */
  async untilAllHeard(): Promise<void> {
    await eventually('every client to have every message', () =>
      this.receivers.every(({ messages, room }) => messages.length === this.#ledgerOf(room).acknowledged),
    );
  }

  /**
   * One more message in each room; resolves when every client, plain ones too, stands behind it: has had it, or
   * was notified of a loss that covers it.
   */
  async level(longestMs?: number): Promise<void> {
    const senders = new Map(this.members.map((member) => [member.room.name, member]));
    const last = new Map<string, Position>();
    for (const [room, sender] of senders) last.set(room, await this.#publishUntilTaken(sender));
    const standsBehind = (position: Position | undefined, room: string) => {
      const { epoch, offset } = last.get(room) as Position;
      return position?.epoch === epoch && position.offset >= offset;
    };
    await eventually(
      'every client to stand behind the last message',
      () =>
        this.members.every(
          ({ room, receiver }) => receiver.hasLeft || standsBehind(room.position, room.name),
        ) &&
        this.receivers.every(
          ({ isNotified, messages, room }) => isNotified || standsBehind(messages.at(-1), room),
        ),
      longestMs,
    );
  }

  /** Publishes that ended as `refused`, which says that nothing was written, and stand in a log. */
  refusedAndWritten(logs: ReadonlyMap<string, RoomLog>): number {
    const refused = [...this.#ledgers.values()].flatMap(({ publishes }) =>
      publishes.filter(({ failure }) => failure === 'refused'),
    );
    const written = new Set([...logs.values()].flatMap(({ entries }) => entries.map(({ id }) => id)));
    return refused.filter(({ id }) => written.has(id)).length;
  }

  /** The longest time from a publish to its acknowledgement in these rooms, in milliseconds. */
  slowestIn(rooms: readonly string[]): number {
    return Math.round(Math.max(0, ...rooms.map((room) => this.#slowest.get(room) ?? 0)));
  }

  get rooms(): string[] {
    return [...this.#ledgers.keys()];
  }

  get receivers(): Receiver[] {
    return [...this.#ledgers.values()].flatMap(({ receivers }) => receivers);
  }

  /** Publishes that were acknowledged. */
  get acknowledged(): number {
    return [...this.#ledgers.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  /** @param logs what stands in the log of each room at the end */
  audit(logs: ReadonlyMap<string, RoomLog>): Audit {
    return auditDeliveries([...this.#ledgers.values()], logs);
  }

  async #publishUntilTaken(sender: Member<Client>): Promise<Position> {
    for (;;) {
      const position = await this.publishOnce(sender);
      if (position) return position;
    }
  }

  #enter(room: string, { of, isNotified }: { of?: Client; isNotified: boolean }): Receiver {
    const name = `client ${this.receivers.length + 1}`;
    const participant = {
      name,
      get instance() {
        return of?.instance ?? '';
      },
    };
    return this.#ledgerOf(room).join(participant, { isNotified });
  }

  #ledgerOf(room: string): Ledger {
    const ledger = this.#ledgers.get(room) ?? new Ledger(room);
    this.#ledgers.set(room, ledger);
    return ledger;
  }
}

/** Where a client stood that has delivered its first message already. */
function before(first: Delivery | undefined): Position | undefined {
  return first && (first.prev ?? { epoch: first.epoch, offset: first.offset - 1 });
}
