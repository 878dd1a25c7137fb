import { setTimeout as delay } from 'node:timers/promises';
import { Child } from '../children.ts';
import type { ConnectRequest, Seat } from '../load/connections.ts';
import { observe } from '../observe.ts';
import { type BenchContext, inTurns, type Rounds } from '../rounds.ts';
import { openStage } from '../stage.ts';
import type { Variant } from '../variants.ts';

export interface ConnectFigures {
  readonly clients: number;
  readonly rooms: number;
  /** Microseconds of all instances' CPU, from the TCP connection to a member of a room. */
  readonly cpuPerClient: number;
  /** The same of as many clients before them, the first that processes meet which have just started. */
  readonly firstCpuPerClient: number;
  readonly redisCpuPerClient: number;
  readonly redisCommandsPerClient: number;
}

const instances = 2;
const loadProcesses = 2;
/** What is told to others of a join is told by then. */
const settleMs = 1_000;
const membersPerRoom = 2;

/** What it costs to connect with a token and to join a room. */
export function measureConnects(context: BenchContext): Promise<Rounds<ConnectFigures>> {
  const clients = context.quick ? 400 : 1_800;
  return inTurns(context, 'connect', (variant) => measureOnce(context, variant, clients));
}

async function measureOnce(
  context: BenchContext,
  variant: Variant,
  clients: number,
): Promise<ConnectFigures> {
  const stage = await openStage(variant, { instances });
  const loaders = Array.from({ length: loadProcesses }, () => new Child('load/connections'));
  const connect = async (rooms: string) => {
    const seats = seatsOf(rooms, clients, stage.ports);
    await Promise.all(
      loaders.map((loader, index) => {
        const share = seats.filter((_, seat) => Math.floor(seat / membersPerRoom) % loaders.length === index);
        return loader.ask('connect', { dialect: variant.dialect, seats: share } satisfies ConnectRequest);
      }),
    );
    await delay(settleMs);
    return clients;
  };
  try {
    // The compiler wants a thousand of everything, and the service is not to be measured while that is at work.
    const fresh = await stage.use();
    await connect('warm-up');
    const before = await stage.use();
    await connect('room');
    const after = await stage.use();
    const work = () => connect(`observed-${performance.now()}`);
    context.printObservation(
      await observe(context, stage, { what: 'connect and join', unit: 'client', work }),
    );
    return {
      clients,
      rooms: clients / membersPerRoom,
      firstCpuPerClient: (before.cpu - fresh.cpu) / clients,
      cpuPerClient: (after.cpu - before.cpu) / clients,
      redisCpuPerClient: (after.redisCpu - before.redisCpu) / clients,
      redisCommandsPerClient: (after.calls - before.calls) / clients,
    };
  } finally {
    await Promise.all(loaders.map((loader) => loader.end()));
    await stage.close();
  }
}

/** Members of a room sit on different instances. */
function seatsOf(prefix: string, clients: number, ports: readonly number[]): Seat[] {
  return Array.from({ length: clients }, (_, index) => {
    const room = Math.floor(index / membersPerRoom);
    return { room: `${prefix}-${room}`, port: ports[(room + index) % ports.length] as number };
  });
}
