import { Child } from '../children.ts';
import type { Instance } from '../instance.ts';
import type { ConnectRequest } from '../load/connections.ts';
import { openFilesLimit } from '../machine.ts';
import { type BenchContext, inTurns, type Rounds } from '../rounds.ts';
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
  return inTurns(context, 'connections', (variant) => measureOnce(variant, connections));
}

async function measureOnce(variant: Variant, connections: number): Promise<ConnectionFigures> {
  const stage = await openStage(variant, { instances: 1, nodeOptions: ['--expose-gc'] });
  const loader = new Child('load/connections');
  const server = stage.instances[0] as Instance;
  const { port } = server;
  const seats = Array.from({ length: connections }, () => ({ port }));
  try {
    const before = await server.memory();
    const cpu = await stage.cpu();
    await loader.ask('connect', { dialect: variant.dialect, seats } satisfies ConnectRequest);
    const handshakes = (await stage.cpu()) - cpu;
    const rss = await server.rss();
    const idle = await server.memory();
    await loader.ask('join', 'room-');
    const joined = await server.memory();
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
