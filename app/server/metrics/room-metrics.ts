import { Histogram, type Registry } from 'prom-client';
import { createRoomCounters, publishResults, type RoomCounters } from '../rooms/counters.ts';
import type { RoomView } from '../rooms/hub-rooms.ts';
import { counterOf, gaugeOf, type Samples } from './families.ts';
import { Reservoir } from './reservoir.ts';

/** A hub's rooms as they are now. */
export interface HubRooms {
  view(): Iterable<RoomView>;
}

type CountedNumber = {
  [K in keyof RoomCounters]: RoomCounters[K] extends number ? K : never;
}[keyof RoomCounters];

/** Families that are one number of each hub's counters. */
const families: readonly (readonly [name: string, counted: CountedNumber, help: string])[] = [
  [
    'realtime_joins_total',
    'joins',
    'Clients that became members of a room. A burst without new users: connections were lost and come back',
  ],
  [
    'realtime_replays_total',
    'replays',
    'Joins answered with messages that the client had missed. A rise: clients lose their connections',
  ],
  [
    'realtime_replayed_messages_total',
    'replayedMessages',
    'Messages in the answers of joins. A rise: clients are away for longer, or rooms are busier',
  ],
  [
    'realtime_losses_told_total',
    'lossesReported',
    'Joins whose answer says that messages are missing. A rise: clients stay away for longer than the log reaches, or a failover of Redis lost writes',
  ],
  [
    'realtime_deliveries_total',
    'deliveries',
    "Messages handed to members' connections. A rise: more members in a room, or more messages",
  ],
  [
    'realtime_gaps_total',
    'gaps',
    'Members notified that messages may be missing. Any rise: a failover of Redis lost writes, or this instance was cut off for longer than the log reaches',
  ],
  [
    'realtime_slow_consumers_total',
    'slowConsumers',
    'Connections ended since the client did not read. A rise: slow clients, or rooms too busy for their networks',
  ],
];

/** What happens in the rooms of each hub. */
export class RoomMetrics {
  readonly #counters = new Map<string, RoomCounters>();
  readonly #rooms = new Map<string, HubRooms>();
  readonly #delay: Histogram;
  /** In milliseconds. */
  readonly #delays = new Reservoir();

  constructor(registry: Registry) {
    for (const [name, counted, help] of families) {
      counterOf(registry, { name, help, labels: ['hub'] }, () => this.#each((counters) => counters[counted]));
    }
    counterOf(
      registry,
      {
        name: 'realtime_publishes_total',
        help: 'Publishes by what came of them. A rise of refused or uncertain: Redis is away, full or slow; of repeated: acknowledgements are lost; of forbidden, bad_request or rate_limited: a client is at fault',
        labels: ['hub', 'result'],
      },
      () => this.#publishes(),
    );
    gaugeOf(
      registry,
      {
        name: 'realtime_rooms',
        help: 'Rooms that this instance follows. A rise that never ends: clients join and do not leave',
        labels: ['hub'],
      },
      () => Array.from(this.#rooms, ([hub, rooms]) => [{ hub }, roomsIn(rooms)] as const),
    );
    gaugeOf(
      registry,
      {
        name: 'realtime_members',
        help: 'Memberships of rooms on this instance: a connection in three rooms is three. A rise: more clients, or more rooms for each',
        labels: ['hub'],
      },
      () => Array.from(this.#rooms, ([hub, rooms]) => [{ hub }, membersIn(rooms)] as const),
    );
    this.#delay = new Histogram({
      name: 'realtime_publish_to_delivery_seconds',
      help: 'From the publish on one instance to its arrival here, of one in 16 messages. It compares the clocks of two instances: a skew stands in it, and below zero is zero. A rise: Redis or an event loop is slow',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
  }

  /** The counters that a hub's rooms are given when they are opened. */
  countersOf(hub: string): RoomCounters {
    const counters = this.#counters.get(hub) ?? createRoomCounters();
    counters.delayed = (milliseconds) => this.#delayed(Math.max(0, milliseconds));
    this.#counters.set(hub, counters);
    return counters;
  }

  /** Where to look for the rooms that a hub has open. */
  watch(hub: string, rooms: HubRooms): void {
    this.#rooms.set(hub, rooms);
  }

  /** All hubs together. */
  total(counted: CountedNumber): number {
    return sum(this.#each((counters) => counters[counted]));
  }

  published(...results: readonly (keyof RoomCounters['publishes'])[]): number {
    return sum(this.#publishes((result) => results.includes(result)));
  }

  /** Milliseconds from publish to delivery, of some of the messages since they were last taken. */
  takeDelays(): number[] {
    return this.#delays.take();
  }

  get rooms(): number {
    return sum(Array.from(this.#rooms.values(), (rooms) => [{}, roomsIn(rooms)] as const));
  }

  get members(): number {
    return sum(Array.from(this.#rooms.values(), (rooms) => [{}, membersIn(rooms)] as const));
  }

  #delayed(milliseconds: number): void {
    this.#delay.observe(milliseconds / 1000);
    this.#delays.add(milliseconds);
  }

  #each(read: (counters: RoomCounters) => number): Samples {
    return Array.from(this.#counters, ([hub, counters]) => [{ hub }, read(counters)] as const);
  }

  #publishes(wanted: (result: keyof RoomCounters['publishes']) => boolean = () => true): Samples {
    return Array.from(this.#counters).flatMap(([hub, { publishes }]) =>
      publishResults.filter(wanted).map((result) => [{ hub, result }, publishes[result]] as const),
    );
  }
}

function roomsIn(rooms: HubRooms): number {
  let count = 0;
  for (const _room of rooms.view()) count += 1;
  return count;
}

function membersIn(rooms: HubRooms): number {
  let count = 0;
  for (const { members } of rooms.view()) count += members.size;
  return count;
}

function sum(samples: Samples): number {
  let total = 0;
  for (const [, value] of samples) total += value;
  return total;
}
