import {
  type Column,
  type Deliveries,
  type Losses,
  type Measured,
  type SignalRCosts,
  writeMeasured,
} from '../../lib/cost/measured.ts';
import type { LossFigures } from './load/loss.ts';
import type { Machine } from './machine.ts';
import { oneRoomLoad } from './measures/cpu-room.ts';
import { smallRoomsLoad } from './measures/cpu-small-rooms.ts';
import type { DeliveryFigures, DeliveryLoad } from './measures/delivery.ts';
import type { ConnectionFigures } from './measures/memory.ts';
import type { ShardResults } from './measures/shards.ts';
import type { SignalRResults } from './measures/signalr.ts';
import type { BenchResults } from './results.ts';
import { compare, type Rounds, spreadOf } from './rounds.ts';

/** Keeps a complete bench: `npm run cost` plans with it, and the README shows it. */
export function keepResults(results: BenchResults, run: { machine: Machine; rounds: number }): void {
  writeMeasured(measuredOf(results, run));
}

export function measuredOf(
  { oneRoom, smallRooms, connections, redis, shards, sigterm, sigkill, signalr }: BenchResults,
  { machine, rounds }: { machine: Machine; rounds: number },
): Measured {
  if (!oneRoom || !smallRooms || !connections || !redis || !shards || !sigterm || !sigkill || !signalr)
    throw new Error('only a complete bench can be kept: run it without --only');
  const server = `${machine.redis[0]?.toUpperCase()}${machine.redis.slice(1)}`;
  return {
    date: machine.date,
    machine: `${machine.processor}, Node ${machine.node}, ${server}`,
    rounds,
    sigterm: columns(sigterm, (_, figures) => lossesOf(figures)),
    sigkill: columns(sigkill, (_, figures) => lossesOf(figures)),
    oneRoom: deliveriesOf(oneRoomLoad(false), oneRoom),
    smallRooms: deliveriesOf(smallRoomsLoad(false), smallRooms),
    connections: {
      count: [...connections.values()].flat()[0]?.connections ?? 0,
      variants: columns(connections, (column) => connectionOf(connections, column)),
    },
    redis: { publishMicroseconds: round(spreadOf(redis.map(({ cpuPerAppend }) => cpuPerAppend)).median, 1) },
    cluster: { date: machine.date, setup: 'three shards with a replica each', publish: shardRatio(shards) },
    signalr: { date: machine.date, ...signalRCosts(signalr) },
  };
}

/** What a publish costs on three shards beside one node, each in the same round. */
function shardRatio(shards: ShardResults): number {
  const [one, three] = [shards.get(1) ?? [], shards.get(3) ?? []];
  return medianOf(
    three.map(({ cpuPerAppend }, round) => cpuPerAppend / (one[round]?.cpuPerAppend ?? Number.NaN)),
  );
}

function signalRCosts({ room, connections, polls }: SignalRResults): Omit<SignalRCosts, 'date'> {
  return {
    delivery: beside(room, ({ cpuPerDelivery }) => cpuPerDelivery),
    connect: beside(connections, ({ handshakeCpu }) => handshakeCpu),
    memory: beside(connections, ({ rss }) => rss),
    relayed: {
      cpu: medianOf(polls.map(({ direct, relayed }) => relayed.cpu / direct.cpu)),
      time: medianOf(polls.map(({ direct, relayed }) => relayed.p50 / direct.p50)),
    },
  };
}

/** SignalR's figure as a ratio to Socket.IO's of the same round. */
function beside<T>(rounds: Rounds<T>, figure: (figures: T) => number): number {
  const socketIO = rounds.get('socketio') ?? [];
  const signalR = rounds.get('signalr') ?? [];
  return medianOf(signalR.map((figures, round) => figure(figures) / figure(socketIO[round] as T)));
}

const medianOf = (values: readonly number[]) => round(spreadOf(values).median, 2);

function columns<T, R>(rounds: Rounds<T>, cell: (column: Column, figures: readonly T[]) => R) {
  return Object.fromEntries(
    // The protocols are compared with each other alone, and are no columns.
    [...rounds].map(([column, figures]) => [column, cell(column as Column, figures)]),
  ) as Partial<Record<Column, R>>;
}

function lossesOf(figures: readonly LossFigures[]): Losses {
  const sum = (of: keyof Losses) => figures.reduce((total, each) => total + each[of], 0);
  return { lost: sum('lost'), duplicated: sum('duplicated'), expected: sum('expected') };
}

function deliveriesOf(load: DeliveryLoad, rounds: Rounds<DeliveryFigures>): Deliveries {
  const { instances, rooms, membersPerRoom } = load;
  const variants = columns(rounds, (column) => {
    const cpu = median(rounds, column, ({ cpuPerDelivery }) => cpuPerDelivery);
    return {
      cpuMicroseconds: round(cpu.value, 1),
      ...(cpu.ratio !== undefined && { ratio: round(cpu.ratio, 2) }),
      p50: round(median(rounds, column, ({ p50 }) => p50).value, 1),
      p99: round(median(rounds, column, ({ p99 }) => p99).value, 1),
    };
  });
  return { instances, rooms, membersPerRoom, variants };
}

function connectionOf(rounds: Rounds<ConnectionFigures>, column: Column) {
  const memory = median(rounds, column, ({ rss }) => rss / 1_000);
  const handshake = median(rounds, column, ({ handshakeCpu }) => handshakeCpu / 1_000);
  return {
    kilobytes: round(memory.value, 1),
    ...(memory.ratio !== undefined && { ratio: round(memory.ratio, 2) }),
    handshakeMs: round(handshake.value, 2),
    ...(handshake.ratio !== undefined && { handshakeRatio: round(handshake.ratio, 2) }),
  };
}

/** The median, and the median ratio to the floor unless this is the floor. */
function median<T>(rounds: Rounds<T>, column: Column, figure: (figures: T) => number) {
  const compared = compare(rounds, column, figure);
  return {
    value: compared?.value.median ?? Number.NaN,
    ratio: column === 'floor' ? undefined : compared?.ratio?.median,
  };
}

const round = (value: number, digits: number) => Number(value.toFixed(digits));
