import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../children.ts';
import type { Instance } from '../instance.ts';
import type { ConnectRequest, Seat } from '../load/connections.ts';
import { openFilesLimit } from '../machine.ts';
import { type BenchContext, inTurns, type Rounds } from '../rounds.ts';
import { openStage, sum } from '../stage.ts';
import type { Variant } from '../variants.ts';

export interface StormFigures {
  readonly clients: number;
  /** Seconds from the end of an instance until all of its clients are members of their rooms elsewhere. */
  readonly seconds: number;
  /** Microseconds of the other instances' CPU. */
  readonly cpuPerClient: number;
  readonly redisCpuPerClient: number;
  readonly redisCommandsPerClient: number;
}

const loadProcesses = 2;
const membersPerRoom = 10;
const settleMs = 2_000;

/** An instance of three is killed that has all clients: they come back to the other two, as fast as these take them. */
export function measureStorm(context: BenchContext): Promise<Rounds<StormFigures>> {
  const clients = Math.min(context.quick ? 500 : 10_000, openFilesLimit() - 200);
  const whole = clients - (clients % (membersPerRoom * loadProcesses));
  return inTurns(context, 'storm', (variant) => measureOnce(variant, whole));
}

async function measureOnce(variant: Variant, clients: number): Promise<StormFigures> {
  const stage = await openStage(variant, { instances: 3 });
  const loaders = Array.from({ length: loadProcesses }, () => new Child('load/connections'));
  const lost = stage.instances[2] as Instance;
  const others = stage.ports.slice(0, 2);
  const comeBack = async () => {
    await Promise.all(loaders.map((loader) => loader.ask('comeBack', others)));
  };
  try {
    await Promise.all(
      loaders.map((loader, index) => {
        const seats = seatsOf(`loader-${index}`, clients / loadProcesses, lost.port);
        return loader.ask('connect', { dialect: variant.dialect, seats } satisfies ConnectRequest);
      }),
    );
    await delay(settleMs);
    await stage.lose(lost, 'SIGKILL');
    await untilNoneIsConnected(loaders);
    const before = await stage.use();
    const start = performance.now();
    await comeBack();
    const seconds = (performance.now() - start) / 1_000;
    await delay(settleMs);
    const after = await stage.use();
    return {
      clients,
      seconds,
      cpuPerClient: (after.cpu - before.cpu) / clients,
      redisCpuPerClient: (after.redisCpu - before.redisCpu) / clients,
      redisCommandsPerClient: (after.calls - before.calls) / clients,
    };
  } finally {
    await Promise.all(loaders.map((loader) => loader.end()));
    await stage.close();
  }
}

async function untilNoneIsConnected(loaders: readonly Child[]): Promise<void> {
  const connected = async () =>
    sum(await Promise.all(loaders.map((loader) => loader.ask<number>('connected'))));
  while ((await connected()) > 0) await delay(20);
}

function seatsOf(prefix: string, clients: number, port: number): Seat[] {
  return Array.from({ length: clients }, (_, index) => ({
    room: `${prefix}-${Math.floor(index / membersPerRoom)}`,
    port,
  }));
}
