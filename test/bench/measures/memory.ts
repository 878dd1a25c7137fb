import { readFileSync } from 'node:fs';
import { Child } from '../children.ts';
import type { ConnectRequest } from '../load/connections.ts';
import { type BenchContext, inTurns, type Rounds } from '../rounds.ts';
import type { MemoryUse } from '../servers/report.ts';
import { openStage } from '../stage.ts';
import type { Variant } from '../variants.ts';

export interface ConnectionFigures {
  readonly connections: number;
  /** Bytes a connection that is in no room, as the machine sees it. */
  readonly rss: number;
  /** The same after a garbage collection. */
  readonly rssCollected: number;
  readonly heap: number;
  /** The same once each has joined a room of ten. */
  readonly rssInRoom: number;
  readonly heapInRoom: number;
  /** Microseconds of CPU from the TCP connection to the greeting. */
  readonly handshakeCpu: number;
}

/** What a connection costs: to open it, and to have it. */
export function measureConnections(context: BenchContext): Promise<Rounds<ConnectionFigures>> {
  const connections = Math.min(context.quick ? 1_000 : 6_000, openFilesLimit() - 200);
  return inTurns(context, 'connections', (variant) => measureOnce(context, variant, connections));
}

async function measureOnce(
  { profiles }: BenchContext,
  variant: Variant,
  connections: number,
): Promise<ConnectionFigures> {
  const stage = await openStage(variant, { instances: 1, nodeOptions: ['--expose-gc'] });
  const loader = new Child('load/connections');
  const [server, port] = [stage.servers[0] as Child, stage.ports[0] as number];
  const memory = () => server.ask<MemoryUse>('memory');
  const seats = Array.from({ length: connections }, () => ({ port }));
  try {
    const before = await memory();
    const cpu = await stage.cpu();
    await stage.profile(profiles, () =>
      loader.ask('connect', { dialect: variant.dialect, seats } satisfies ConnectRequest),
    );
    const handshakes = (await stage.cpu()) - cpu;
    const rss = await server.ask<number>('rss');
    const idle = await memory();
    await loader.ask('join', 'room-');
    const joined = await memory();
    return {
      connections,
      rss: (rss - before.rss) / connections,
      rssCollected: (idle.rss - before.rss) / connections,
      heap: (idle.heap - before.heap) / connections,
      rssInRoom: (joined.rss - before.rss) / connections,
      heapInRoom: (joined.heap - before.heap) / connections,
      handshakeCpu: handshakes / connections,
    };
  } finally {
    await loader.end();
    await stage.close();
  }
}

/** Node raises its own limit as far as it may; elsewhere than on Linux nothing says how far. */
function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 10_000);
  } catch {
    return 10_000;
  }
}
