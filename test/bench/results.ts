import type { LossFigures } from './load/loss.ts';
import { type BootResults, measureBoot } from './measures/boot.ts';
import { type ConnectFigures, measureConnects } from './measures/connect.ts';
import { measureOneRoom } from './measures/cpu-room.ts';
import { measureSmallRooms } from './measures/cpu-small-rooms.ts';
import type { DeliveryFigures } from './measures/delivery.ts';
import { type HeapFigures, measureHeaps } from './measures/heap.ts';
import { measureLoss } from './measures/loss.ts';
import { type ConnectionFigures, measureConnections } from './measures/memory.ts';
import { measureRedis, type RedisFigures } from './measures/redis.ts';
import { measureShards, type ShardResults } from './measures/shards.ts';
import { measureSignalR, type SignalRResults } from './measures/signalr.ts';
import { measureStorm, type StormFigures } from './measures/storm.ts';
import type { BenchContext, Rounds } from './rounds.ts';

/** Every figure of every round; what was not asked for is absent. */
export interface BenchResults {
  readonly connects?: Rounds<ConnectFigures>;
  readonly storm?: Rounds<StormFigures>;
  readonly oneRoom?: Rounds<DeliveryFigures>;
  readonly smallRooms?: Rounds<DeliveryFigures>;
  readonly connections?: Rounds<ConnectionFigures>;
  readonly heaps?: readonly HeapFigures[];
  readonly redis?: readonly RedisFigures[];
  readonly shards?: ShardResults;
  readonly sigterm?: Rounds<LossFigures>;
  readonly sigkill?: Rounds<LossFigures>;
  readonly boot?: BootResults | undefined;
  readonly signalr?: SignalRResults;
}

export async function measureAll(context: BenchContext): Promise<BenchResults> {
  const wanted = new Set(context.measures);
  return {
    ...(wanted.has('connect') && { connects: await measureConnects(context) }),
    ...(wanted.has('storm') && { storm: await measureStorm(context) }),
    ...(wanted.has('cpu-room') && { oneRoom: await measureOneRoom(context) }),
    ...(wanted.has('cpu-small-rooms') && { smallRooms: await measureSmallRooms(context) }),
    ...(wanted.has('memory') && { connections: await measureConnections(context) }),
    ...(wanted.has('heap') && { heaps: await measureHeaps(context) }),
    ...(wanted.has('redis') && { redis: await measureRedis(context) }),
    ...(wanted.has('shards') && { shards: await measureShards(context) }),
    ...(wanted.has('loss') && {
      sigterm: await measureLoss(context, 'SIGTERM'),
      sigkill: await measureLoss(context, 'SIGKILL'),
    }),
    ...(wanted.has('boot') && { boot: await measureBoot(context) }),
    ...(wanted.has('signalr') && { signalr: await measureSignalR(context) }),
  };
}

/** Maps as objects, for `--json`. */
export function asJson(results: BenchResults): object {
  const plain = (value: unknown): unknown => (value instanceof Map ? Object.fromEntries(value) : value);
  const { signalr, ...others } = results;
  const all = { ...others, ...signalr };
  return Object.fromEntries(Object.entries(all).map(([name, rounds]) => [name, plain(rounds)]));
}
