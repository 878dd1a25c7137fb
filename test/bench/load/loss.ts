import { answerParent } from '../answer-parent.ts';
import type { DialectName } from './dialects.ts';
import { type LossClient, openLossClient } from './loss-clients.ts';
import { pace } from './pacer.ts';

export interface LossLoad {
  readonly dialect: DialectName;
  readonly ports: readonly number[];
  readonly rooms: number;
  readonly membersPerRoom: number;
}

export interface TalkRequest {
  /** In each room. */
  readonly perSecond: number;
  readonly forMs: number;
}

/** What became of the messages that were acknowledged. */
export interface LossFigures {
  readonly expected: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Losses that clients were notified of. */
  readonly notified: number;
}

/** A room with one member that talks: it has at most one message under way, so that an order is defined. */
interface TalkingRoom {
  readonly speaker: LossClient;
  readonly receipts: readonly Receipts[];
  readonly acknowledged: number[];
  spoken: number;
  speaking: boolean;
}

let rooms: readonly TalkingRoom[] = [];
let notified = 0;

answerParent({
  connect: async (load: LossLoad): Promise<void> => {
    const opened = Array.from({ length: load.rooms }, (_, index) => openRoom(load, index));
    await Promise.all(opened.flatMap(({ clients }) => clients.map(({ joined }) => joined)));
    rooms = opened.map(({ room }) => room);
  },
  talk: ({ perSecond, forMs }: TalkRequest) =>
    pace(perSecond * rooms.length, forMs, (turn) => void speak(rooms[turn % rooms.length] as TalkingRoom)),
  figures: (): LossFigures => ({
    expected: total(({ acknowledged, receipts }) => acknowledged.length * receipts.length),
    lost: total(({ acknowledged, receipts }) => add(receipts, (receipt) => receipt.missing(acknowledged))),
    duplicated: total(({ receipts }) => add(receipts, ({ duplicated }) => duplicated)),
    outOfOrder: total(({ receipts }) => add(receipts, ({ outOfOrder }) => outOfOrder)),
    notified,
  }),
});

function openRoom(load: LossLoad, index: number): { room: TalkingRoom; clients: readonly LossClient[] } {
  const receipts = Array.from({ length: load.membersPerRoom }, () => new Receipts());
  const clients = receipts.map((receipt, member) =>
    openLossClient(load.dialect, {
      ports: load.ports,
      first: (index + member) % load.ports.length,
      room: `room-${index}`,
      onMessage: (number) => receipt.take(number),
      onLost: () => {
        notified += 1;
      },
    }),
  );
  const speaker = clients[0] as LossClient;
  return { room: { speaker, receipts, acknowledged: [], spoken: 0, speaking: false }, clients };
}

async function speak(room: TalkingRoom): Promise<void> {
  if (room.speaking) return;
  room.speaking = true;
  room.spoken += 1;
  const number = room.spoken;
  try {
    await room.speaker.publish(number);
    room.acknowledged.push(number);
  } catch {
    // Nobody promised that it arrives.
  } finally {
    room.speaking = false;
  }
}

function total(count: (room: TalkingRoom) => number): number {
  return add(rooms, count);
}

function add<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0);
}

/** What one client received of a room's numbered messages. */
class Receipts {
  readonly #seen = new Set<number>();
  #highest = 0;
  duplicated = 0;
  outOfOrder = 0;

  take(number: number): void {
    if (this.#seen.has(number)) {
      this.duplicated += 1;
      return;
    }
    this.#seen.add(number);
    if (number < this.#highest) this.outOfOrder += 1;
    else this.#highest = number;
  }

  missing(numbers: readonly number[]): number {
    return numbers.filter((number) => !this.#seen.has(number)).length;
  }
}
