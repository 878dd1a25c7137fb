import { oneRoomLoad } from './measures/cpu-room.ts';
import type { PollFigures, SignalRResults } from './measures/signalr.ts';
import { type Rounds, type Spread, spreadOf } from './rounds.ts';

/** SignalR beside Socket.IO, as Markdown: medians, and the ratios of the same rounds. */
export function renderSignalR({ room, connections, polls }: SignalRResults, quick: boolean): string[] {
  const { membersPerRoom, instances } = oneRoomLoad(quick);
  const [first] = [...connections.values()].flat();
  const count = first?.connections.toLocaleString('en');
  return [
    '| the same hub, by WebSockets | Socket.IO | SignalR | SignalR ÷ Socket.IO (least–most) |',
    '|---|---|---|---|',
    besideRow(
      `${membersPerRoom} clients in one room, ${instances} instances: server CPU a delivery, µs`,
      room,
      (figures) => figures.cpuPerDelivery,
    ),
    besideRow('latency p50, ms', room, ({ p50 }) => p50),
    besideRow('latency p99, ms', room, ({ p99 }) => p99),
    besideRow(
      'CPU of a connect with a token, ms',
      connections,
      ({ handshakeCpu }) => handshakeCpu / 1_000,
      2,
    ),
    besideRow(`${count} idle connections: memory (RSS) of each, KB`, connections, ({ rss }) => rss / 1_000),
    besideRow('heap of each, KB', connections, ({ heap }) => heap / 1_000),
    besideRow('heap of each, in a room of 10, KB', connections, ({ heapInRoom }) => heapInRoom / 1_000),
    '',
    '| a call by long polling: a POST, and the poll with its answer | at its instance | relayed | relayed ÷ direct (least–most) |',
    '|---|---|---|---|',
    relayRow('CPU of both instances, µs', polls, 'cpu', 0),
    relayRow('time p50, ms', polls, 'p50', 1),
  ];
}

function besideRow<T>(title: string, rounds: Rounds<T>, figure: (figures: T) => number, digits = 1): string {
  const socketIO = (rounds.get('socketio') ?? []).map(figure);
  const signalR = (rounds.get('signalr') ?? []).map(figure);
  return rowOf(title, socketIO, signalR, digits);
}

function relayRow(
  title: string,
  polls: readonly PollFigures[],
  figure: 'cpu' | 'p50',
  digits: number,
): string {
  return rowOf(
    title,
    polls.map(({ direct }) => direct[figure]),
    polls.map(({ relayed }) => relayed[figure]),
    digits,
  );
}

function rowOf(title: string, base: readonly number[], other: readonly number[], digits: number): string {
  const ratios = spreadOf(other.map((value, round) => value / (base[round] as number)));
  const cell = (values: readonly number[]) => spreadOf(values).median.toFixed(digits);
  return `| ${title} | ${cell(base)} | ${cell(other)} | ${ratio(ratios)} |`;
}

function ratio({ median, least, most }: Spread): string {
  return `**${median.toFixed(2)}** (${least.toFixed(2)}–${most.toFixed(2)})`;
}
