import { Child } from '../children.ts';
import type { OpenRequest, PollRequest } from '../load/polls.ts';
import type { BenchContext, Rounds } from '../rounds.ts';
import { openStage } from '../stage.ts';
import type { Variant } from '../variants.ts';
import { measureOneRoom } from './cpu-room.ts';
import type { DeliveryFigures } from './delivery.ts';
import { type ConnectionFigures, measureConnections } from './memory.ts';

/** One hub, and who comes to it. */
const protocols: readonly Variant[] = [
  { name: 'socketio', title: 'Socket.IO', entry: 'servers/ours', dialect: 'hub' },
  { name: 'signalr', title: 'SignalR', entry: 'servers/ours', dialect: 'signalR' },
];

export interface SignalRResults {
  readonly room: Rounds<DeliveryFigures>;
  readonly connections: Rounds<ConnectionFigures>;
  readonly polls: readonly PollFigures[];
}

/** What a call by long polling costs: a POST, and the poll that has its answer. */
export interface PollFigures {
  readonly direct: CallFigures;
  /** By an instance that does not hold the session. */
  readonly relayed: CallFigures;
}

export interface CallFigures {
  /** Microseconds of all instances' CPU. */
  readonly cpu: number;
  /** Milliseconds, at the median. */
  readonly p50: number;
}

/** SignalR beside Socket.IO in the same hub, and the price of a session on another instance than the one that is asked. */
export async function measureSignalR(context: BenchContext): Promise<SignalRResults> {
  const beside = { ...context, variants: protocols };
  return {
    room: await measureOneRoom(beside),
    connections: await measureConnections(beside),
    polls: await measurePolls(context),
  };
}

async function measurePolls({ rounds, quick, print }: BenchContext): Promise<PollFigures[]> {
  const [sessions, calls] = quick ? [10, 20] : [40, 60];
  const all: PollFigures[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const figures = await measurePollsOnce(sessions, calls);
    print(`polls, round ${round} of ${rounds}: ${JSON.stringify(figures)}`);
    all.push(figures);
  }
  return all;
}

async function measurePollsOnce(sessions: number, calls: number): Promise<PollFigures> {
  const stage = await openStage(protocols[1] as Variant, { instances: 2 });
  const loader = new Child('load/polls');
  const [holder, other] = stage.ports as [number, number];
  const poll = async (port: number, times: number): Promise<CallFigures> => {
    const cpu = await stage.cpu();
    const took = await loader.ask<Float64Array>('poll', { port, calls: times } satisfies PollRequest);
    const spent = (await stage.cpu()) - cpu;
    return { cpu: spent / took.length, p50: took.sort()[Math.floor(took.length / 2)] as number };
  };
  try {
    await loader.ask('open', { port: holder, sessions } satisfies OpenRequest);
    for (const port of [holder, other]) await poll(port, calls);
    return { direct: await poll(holder, calls), relayed: await poll(other, calls) };
  } finally {
    await loader.end();
    await stage.close();
  }
}
