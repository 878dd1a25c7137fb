import { renderHeap } from './heap-table.ts';
import type { LossFigures } from './load/loss.ts';
import type { BootFigures, BootResults } from './measures/boot.ts';
import type { ConnectFigures } from './measures/connect.ts';
import { oneRoomLoad } from './measures/cpu-room.ts';
import { smallRoomsLoad } from './measures/cpu-small-rooms.ts';
import type { DeliveryFigures, DeliveryLoad } from './measures/delivery.ts';
import type { ConnectionFigures } from './measures/memory.ts';
import type { RedisFigures } from './measures/redis.ts';
import { type ShardCount, type ShardFigures, type ShardResults, shardCounts } from './measures/shards.ts';
import type { StormFigures } from './measures/storm.ts';
import type { BenchResults } from './results.ts';
import { compare, type Rounds, type Spread, spreadOf } from './rounds.ts';
import { renderSignalR } from './signalr-table.ts';
import { before, type Variant, variants } from './variants.ts';

/** The figures as Markdown: a column for each variant, the medians of the rounds. */
export function renderTable(results: BenchResults, { machine, rounds, quick }: Heading): string {
  const rows = rowsOf(results, quick);
  const taking = [...variants, before].filter(({ name }) => rows.some((row) => row.rounds.has(name)));
  const lines = [`${machine}; ${rounds > 1 ? `medians of ${rounds}` : 'one round'}.`, ''];
  if (taking.length > 0) lines.push(...renderVariants(rows, taking));
  for (const heap of results.heaps ?? []) lines.push('', ...renderHeap(heap));
  if (results.redis) lines.push('', ...renderRedis(results.redis));
  if (results.shards) lines.push('', ...renderShards(results.shards));
  if (results.boot) lines.push('', ...renderBoot(results.boot));
  if (results.signalr) lines.push('', ...renderSignalR(results.signalr, quick));
  const unsound = unsoundRounds(results);
  if (unsound.length > 0) lines.push('', ...unsound);
  return `${lines.join('\n')}\n`;
}

export interface Heading {
  readonly machine: string;
  readonly rounds: number;
  readonly quick: boolean;
}

/** One line of the table. */
interface Row {
  readonly title: string;
  // biome-ignore lint/suspicious/noExplicitAny: rows of several measures stand in one table
  readonly rounds: Rounds<any>;
  readonly cell: (variant: Variant) => string;
}

function renderVariants(rows: readonly Row[], taking: readonly Variant[]): string[] {
  return [
    `| | ${taking.map(({ title }) => title).join(' | ')} |`,
    `|---|${taking.map(() => '---').join('|')}|`,
    ...rows.map(({ title, cell }) => `| ${title} | ${taking.map(cell).join(' | ')} |`),
  ];
}

function rowsOf(results: BenchResults, quick: boolean): readonly Row[] {
  const { connects, storm, oneRoom, smallRooms, connections, sigterm, sigkill } = results;
  return [
    ...connectRows(connects),
    ...deliveryRows(oneRoomLoad(quick), oneRoom),
    ...deliveryRows(smallRoomsLoad(quick), smallRooms),
    ...connectionRows(connections),
    ...stormRows(storm),
    ...lossRows('SIGTERM of one of three', sigterm),
    ...lossRows('SIGKILL of one of three', sigkill),
  ];
}

/**
 * Rounds in which not everything that was published in a slice arrived in it: the machine was too busy, or a
 * variant refused. A cost a delivery says nothing then.
 */
function unsoundRounds({ oneRoom, smallRooms, signalr }: BenchResults): string[] {
  const of = (what: string, rounds: Rounds<DeliveryFigures> | undefined) =>
    [...(rounds ?? [])].flatMap(([name, all]) =>
      all.flatMap(({ missing, deliveries, p99 }, round) =>
        missing === 0
          ? []
          : `UNSOUND: ${what}, round ${round + 1}, ${name}: ${deliveries} deliveries where ${deliveries + missing} were due (p99 ${p99.toFixed(0)} ms). Run it again on a quieter machine.`,
      ),
    );
  return [...of('one room', oneRoom), ...of('small rooms', smallRooms), ...of('SignalR', signalr?.room)];
}

function deliveryRows(load: DeliveryLoad, rounds: Rounds<DeliveryFigures> | undefined): readonly Row[] {
  if (!rounds) return [];
  const { instances, rooms, membersPerRoom } = load;
  const where = rooms === 1 ? `${membersPerRoom} clients in one room` : `${rooms} rooms of ${membersPerRoom}`;
  return [
    ratioRow(
      `${where}, ${instances} instances: server CPU a delivery, µs`,
      rounds,
      ({ cpuPerDelivery }) => cpuPerDelivery,
      1,
    ),
    plainRow('latency p50, ms', rounds, ({ p50 }) => p50),
    plainRow('latency p99, ms', rounds, ({ p99 }) => p99),
    plainRow('longest garbage collection, ms', rounds, ({ collections }) => collections.longest),
    plainRow(
      'garbage collection a delivery, µs',
      rounds,
      ({ collections, deliveries }) => (1_000 * collections.total) / deliveries,
    ),
    plainRow('Redis CPU a publish, µs', rounds, ({ redisCpuPerPublish }) => redisCpuPerPublish, 0),
  ];
}

function connectRows(rounds: Rounds<ConnectFigures> | undefined): readonly Row[] {
  if (!rounds) return [];
  const [first] = [...rounds.values()].flat();
  return [
    ratioRow(
      `connect and join, ${first?.clients} clients in ${first?.rooms} rooms: server CPU a client, ms`,
      rounds,
      ({ cpuPerClient }) => cpuPerClient / 1_000,
      2,
    ),
    ratioRow(
      'the same of the first clients of a new process, ms',
      rounds,
      (figures) => figures.firstCpuPerClient / 1_000,
      2,
    ),
    plainRow('Redis CPU a client, µs', rounds, ({ redisCpuPerClient }) => redisCpuPerClient, 0),
    plainRow('commands in Redis a client', rounds, (figures) => figures.redisCommandsPerClient),
  ];
}

function stormRows(rounds: Rounds<StormFigures> | undefined): readonly Row[] {
  if (!rounds) return [];
  const [first] = [...rounds.values()].flat();
  return [
    plainRow(`${first?.clients} clients come back to two instances, s`, rounds, ({ seconds }) => seconds),
    ratioRow('server CPU a client, ms', rounds, ({ cpuPerClient }) => cpuPerClient / 1_000, 2),
    plainRow('Redis CPU a client, µs', rounds, ({ redisCpuPerClient }) => redisCpuPerClient, 0),
    plainRow('commands in Redis a client', rounds, (figures) => figures.redisCommandsPerClient),
  ];
}

function connectionRows(rounds: Rounds<ConnectionFigures> | undefined): readonly Row[] {
  if (!rounds) return [];
  const kilobytes = (title: string, figure: (figures: ConnectionFigures) => number) =>
    ratioRow(`${title}, KB`, rounds, (figures) => figure(figures) / 1_000, 1);
  const [first] = [...rounds.values()].flat();
  return [
    kilobytes(`${first?.connections} idle connections: memory (RSS) of each`, ({ rss }) => rss),
    kilobytes('heap of each', ({ heap }) => heap),
    kilobytes('RSS of each, in a room of 10', ({ rssInRoom }) => rssInRoom),
    kilobytes('heap of each, in a room of 10', ({ heapInRoom }) => heapInRoom),
    ratioRow('CPU a handshake, ms', rounds, ({ handshakeCpu }) => handshakeCpu / 1_000, 2),
  ];
}

function lossRows(title: string, rounds: Rounds<LossFigures> | undefined): readonly Row[] {
  if (!rounds) return [];
  const cell = ({ name }: Variant) => {
    const figures = rounds.get(name);
    if (!figures) return '–';
    const sum = (figure: (figures: LossFigures) => number) =>
      figures.reduce((total, each) => total + figure(each), 0).toLocaleString('en');
    const notified = figures.some((each) => each.notified > 0)
      ? `, ${sum((each) => each.notified)} notified`
      : '';
    return `${sum((each) => each.lost)} / ${sum((each) => each.duplicated)} / ${sum((each) => each.outOfOrder)} of ${sum((each) => each.expected)}${notified}`;
  };
  return [{ title: `${title}: deliveries lost / twice / out of order, all rounds`, rounds, cell }];
}

/** A figure with how far its rounds went apart, and behind it how it stands to the floor's. */
function ratioRow<T>(title: string, rounds: Rounds<T>, figure: (figures: T) => number, digits: number): Row {
  return {
    title: `${title} (× floor)`,
    rounds,
    cell: ({ name }) => {
      const compared = compare(rounds, name, figure);
      if (!compared || Number.isNaN(compared.value.median)) return '–';
      const earlier = name === 'ours' ? compare(rounds, name, figure, 'before')?.ratio : undefined;
      const value = spread(compared.value, digits) + (earlier ? `; ${spread(earlier, 2)} of before` : '');
      if (name === 'floor' || !compared.ratio) return value;
      return `${value}; × **${compared.ratio.median.toFixed(2)}** (${compared.ratio.least.toFixed(2)}–${compared.ratio.most.toFixed(2)})`;
    },
  };
}

function plainRow<T>(title: string, rounds: Rounds<T>, figure: (figures: T) => number, digits = 1): Row {
  return {
    title,
    rounds,
    cell: ({ name }) => {
      const compared = compare(rounds, name, figure);
      return compared && !Number.isNaN(compared.value.median) ? spread(compared.value, digits) : '–';
    },
  };
}

function spread({ median, least, most }: Spread, digits: number): string {
  const figure = median.toFixed(digits);
  return least === most ? figure : `${figure} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function renderRedis(rounds: readonly RedisFigures[]): string[] {
  const row = (title: string, figure: (figures: RedisFigures) => number) => {
    const { median, least, most } = spreadOf(rounds.map(figure));
    const perSecond = Math.round(1e6 / median / 100) * 100;
    const spread = `${least.toFixed(1)}–${most.toFixed(1)}`;
    return `| ${title} | ${median.toFixed(1)} (${spread}) | ${perSecond.toLocaleString('en')} |`;
  };
  return [
    '| one Redis with a replica, two instances that listen, 50 under way | its CPU each, µs | a second, by its CPU |',
    '|---|---|---|',
    row('publish with the contract: id, number, log, replica, broadcast', ({ cpuPerAppend }) => cpuPerAppend),
    row('bare PUBLISH', ({ cpuPerPublish }) => cpuPerPublish),
  ];
}

function renderShards(results: ShardResults): string[] {
  const row = (title: string, figure: (figures: ShardFigures, count: ShardCount) => number, digits = 1) => {
    const cells = shardCounts.map((count) =>
      spread(spreadOf((results.get(count) ?? []).map((figures) => figure(figures, count))), digits),
    );
    return `| ${title} | ${cells.join(' | ')} |`;
  };
  return [
    `| shards, each with a replica; two instances, 400 rooms | ${shardCounts.join(' | ')} |`,
    `|---|${shardCounts.map(() => '---').join('|')}|`,
    row('a publish with the contract: CPU of Redis, µs', ({ cpuPerAppend }) => cpuPerAppend),
    row('the same: CPU of the instance, µs', (figures) => figures.instanceCpuPerAppend),
    row(
      'publishes a second, by the CPU of all primaries',
      ({ cpuPerAppend }, count) => (count * 1e6) / cpuPerAppend,
      0,
    ),
    row('latency p50, four under way, ms', ({ p50 }) => p50, 2),
    row('latency p99, ms', ({ p99 }) => p99, 2),
    row('connections to Redis of an instance', ({ connections }) => connections, 0),
    row('memory (RSS) of an instance that has joined, MB', ({ rss }) => rss / 1e6),
  ];
}

function renderBoot({ starts, bare, parts }: BootResults): string[] {
  const cell = (all: readonly BootFigures[], figure: (figures: BootFigures) => number) => {
    const { median, least, most } = spreadOf(all.map(figure));
    return `${median.toFixed(0)} (${least.toFixed(0)}–${most.toFixed(0)})`;
  };
  const row = (title: string, figure: (figures: BootFigures) => number) =>
    `| ${title} | ${cell(bare, figure)} | ${cell(starts, figure)} |`;
  const total = parts.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const shown = parts.filter(({ milliseconds }) => milliseconds > total / 100);
  return [
    `| ${starts.length} starts, until ready with Redis joined: median (least–most) | a bare Node | Realtime Stack |`,
    '|---|---|---|',
    row('CPU, ms', ({ cpu }) => cpu),
    row('time, ms', ({ time }) => time),
    row('memory (RSS), MB', ({ rss }) => rss / 1e6),
    '',
    '| what a start is busy with, in a profile of one more | ms | % |',
    '|---|---|---|',
    ...shown.map(
      ({ name, milliseconds }) =>
        `| ${name} | ${milliseconds.toFixed(0)} | ${((100 * milliseconds) / total).toFixed(0)} |`,
    ),
  ];
}
