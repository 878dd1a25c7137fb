import { readFileSync, writeFileSync } from 'node:fs';

/** The columns of the README's table: bare `ws`, Socket.IO with two of its adapters, and this project. */
export type Column = 'floor' | 'classic' | 'streams' | 'ours';

type Columns<T> = Readonly<Partial<Record<Column, T>>>;

/** Figures are medians over the rounds. A ratio compares a figure with the floor's; it is the median of the rounds' ratios. */
export interface Measured {
  /** ISO date. */
  readonly date: string;
  readonly machine: string;
  readonly rounds: number;
  readonly sigterm: Columns<Losses>;
  readonly sigkill: Columns<Losses>;
  readonly oneRoom: Deliveries;
  readonly smallRooms: Deliveries;
  readonly connections: {
    readonly count: number;
    readonly variants: Columns<{
      /** Memory (RSS) of an idle connection. */
      readonly kilobytes: number;
      readonly ratio?: number;
      /** CPU of a handshake in milliseconds. */
      readonly handshakeMs: number;
      readonly handshakeRatio?: number;
    }>;
  };
  /** CPU of Redis for a publish with the delivery contract. */
  readonly redis: { readonly publishMicroseconds: number };
  readonly cluster: ClusterCosts;
  readonly signalr: SignalRCosts;
}

/** What a cluster's shard costs beside a single node, as ratios to it: the busyness of a machine meets both alike. */
export interface ClusterCosts {
  /** ISO date. */
  readonly date: string;
  /** What it was measured on. */
  readonly setup: string;
  /** CPU of the primary for a publish with the delivery contract, by shard channels. */
  readonly publish: number;
}

/** What SignalR costs in the same hub as Socket.IO, as ratios to it: the busyness of a machine meets both alike. */
export interface SignalRCosts {
  /** ISO date. */
  readonly date: string;
  /** CPU of the servers. */
  readonly delivery: number;
  readonly connect: number;
  /** Memory (RSS) of an idle connection. */
  readonly memory: number;
  /** A call by long polling that one instance relays to another, to one that goes there directly. */
  readonly relayed: {
    /** CPU of both instances. */
    readonly cpu: number;
    /** Time at the median. */
    readonly time: number;
  };
}

/** Deliveries of acknowledged messages over all rounds. */
export interface Losses {
  readonly lost: number;
  readonly duplicated: number;
  readonly expected: number;
}

export interface Deliveries {
  readonly instances: number;
  readonly rooms: number;
  readonly membersPerRoom: number;
  readonly variants: Columns<{
    /** CPU of the servers for a delivery. */
    readonly cpuMicroseconds: number;
    readonly ratio?: number;
    /** Latency in milliseconds. */
    readonly p50: number;
    readonly p99: number;
  }>;
}

const file = new URL('./measured.json', import.meta.url);
const readme = new URL('../../README.md', import.meta.url);

/** The results of the last bench that was kept. `npm run bench -- --write` replaces them. */
export const measured: Measured = JSON.parse(readFileSync(file, 'utf8'));

/** What one thing costs the service, its instances or Redis, in seconds and bytes. */
export const capacity = capacityOf(measured);

export function capacityOf({ oneRoom, smallRooms, connections, redis, cluster }: Measured) {
  const [deliveries, connection] = [oneRoom.variants.ours, connections.variants.ours];
  const small = smallRooms.variants.ours;
  if (!deliveries || !small || !connection)
    throw new Error('measured.json must have figures of this project (`ours`)');
  return {
    deliveryCpuSeconds: deliveries.cpuMicroseconds / 1e6,
    /** A publish in a small room, with its deliveries. */
    smallRoomPublishCpuSeconds: (small.cpuMicroseconds * smallRooms.membersPerRoom) / 1e6,
    handshakeCpuSeconds: connection.handshakeMs / 1e3,
    /** Memory of an idle connection. */
    connectionBytes: connection.kilobytes * 1e3,
    publishCpuSeconds: redis.publishMicroseconds / 1e6,
    /** On a shard of a cluster. */
    shardPublishCpuSeconds: (redis.publishMicroseconds * cluster.publish) / 1e6,
  };
}

/** Keeps the results of a bench: in measured.json, which `npm run cost` plans with, and in the README. */
export function writeMeasured(results: Measured, paths = { file, readme }): void {
  writeFileSync(paths.file, `${JSON.stringify(results, undefined, 2)}\n`);
  const text = readFileSync(paths.readme, 'utf8');
  writeFileSync(
    paths.readme,
    text.replace(section, () => renderMeasured(results)),
  );
}

/** The part of the README that `renderMeasured` renders. */
export const section = /<!-- npm run bench -- --write -->[\s\S]*?<!-- end of the bench -->/;

/** The results as Markdown, for the README. */
export function renderMeasured(results: Measured): string {
  const { sigterm, sigkill, oneRoom, smallRooms, connections } = results;
  const perSecond = Math.round(1e6 / results.redis.publishMicroseconds / 1_000) * 1_000;
  return [
    '<!-- npm run bench -- --write -->',
    `Measured on ${results.date} with ${results.machine}, all on loopback, medians of ${results.rounds} rounds:`,
    '',
    '| | floor | Socket.IO, classic adapter | streams adapter, recovery | Realtime Stack |',
    '|---|---|---|---|---|',
    lossRow('SIGTERM', sigterm),
    lossRow('SIGKILL', sigkill),
    ...deliveryRows(oneRoom),
    ...deliveryRows(smallRooms),
    row(
      `memory (RSS) of an idle connection over ${grouped(connections.count)}, KB`,
      connections.variants,
      ({ kilobytes, ratio }) => withRatio(kilobytes.toFixed(1), ratio),
    ),
    row('CPU of a handshake, ms', connections.variants, ({ handshakeMs, handshakeRatio }, column) => {
      const cell = withRatio(handshakeMs.toFixed(2), handshakeRatio);
      return column === 'ours' ? `${cell}, with a token` : cell;
    }),
    '',
    `One Redis with a replica takes ${grouped(perSecond)} publishes a second with the contract, by its CPU (${results.redis.publishMicroseconds} µs each).`,
    clusterSentence(results),
    '',
    signalRSentence(results.signalr),
    '<!-- end of the bench -->',
  ].join('\n');
}

function clusterSentence({ redis, cluster }: Measured): string {
  const carried = (shards: number) =>
    grouped(Math.round(((shards / cluster.publish) * 1e6) / redis.publishMicroseconds / 1_000) * 1_000);
  return `On a shard of a cluster a publish takes ${cluster.publish.toFixed(2)} times that (${cluster.date}, ${cluster.setup}): three shards take ${carried(3)} a second, six ${carried(6)}, if rooms are spread evenly.`;
}

function signalRSentence({ date, delivery, connect, memory, relayed }: SignalRCosts): string {
  const [first, second, third] = [delivery, connect, memory].map((value) => value.toFixed(2));
  return `In the same hub (${date}), SignalR by WebSockets takes ${first} times Socket.IO's server CPU for a delivery, ${second} times for a connect, and ${third} times its memory for an idle connection. A call by long polling that one instance relays to another takes ${relayed.cpu.toFixed(2)} times the CPU of a direct one, and ${relayed.time.toFixed(2)} times its time.`;
}

const columns: readonly Column[] = ['floor', 'classic', 'streams', 'ours'];

function row<T>(title: string, cells: Columns<T>, render: (cell: T, column: Column) => string): string {
  const rendered = columns.map((column) => {
    const cell = cells[column];
    return cell === undefined ? '–' : render(cell, column);
  });
  return `| ${title} | ${rendered.join(' | ')} |`;
}

function lossRow(signal: string, losses: Columns<Losses>): string {
  return row(
    `${signal} of one of three: deliveries lost / twice`,
    losses,
    ({ lost, duplicated, expected }) => `${grouped(lost)} / ${grouped(duplicated)} of ${grouped(expected)}`,
  );
}

function deliveryRows({ instances, rooms, membersPerRoom, variants }: Deliveries): string[] {
  const where = rooms === 1 ? `${membersPerRoom} clients in one room` : `${rooms} rooms of ${membersPerRoom}`;
  return [
    row(
      `${where}, ${instances} instances: server CPU a delivery, µs`,
      variants,
      ({ cpuMicroseconds, ratio }) => withRatio(figure(cpuMicroseconds, 100), ratio),
    ),
    row(
      'the same: latency p50 / p99, ms',
      variants,
      ({ p50, p99 }) => `${figure(p50, 10)} / ${figure(p99, 10)}`,
    ),
  ];
}

const grouped = (value: number) => value.toLocaleString('en');

/** One decimal below a bound, none from there on. */
const figure = (value: number, bound: number) => value.toFixed(value < bound ? 1 : 0);

const withRatio = (value: string, ratio: number | undefined) =>
  ratio === undefined ? value : `${value} (${ratio.toFixed(2)})`;
