import { Child } from '../children.ts';
import type { HeapUse } from '../heap-use.ts';
import type { Instance } from '../instance.ts';
import type { ConnectRequest } from '../load/connections.ts';
import type { BenchContext } from '../rounds.ts';
import { openStage } from '../stage.ts';
import type { Variant } from '../variants.ts';

/** What a connection has on the heap, by constructor. */
export interface HeapFigures {
  readonly variant: Variant;
  readonly connections: number;
  readonly idle: readonly HeapPart[];
  /** The same once each has joined a room of ten. */
  readonly inRoom: readonly HeapPart[];
}

export interface HeapPart {
  readonly name: string;
  /** Of one connection. */
  readonly bytes: number;
  readonly objects: number;
}

/** Compares snapshots of the heap, without clients and with 2,000. */
export async function measureHeaps({ variants, quick, print }: BenchContext): Promise<HeapFigures[]> {
  const connections = quick ? 200 : 2_000;
  const all: HeapFigures[] = [];
  for (const variant of variants.filter(({ entry }) => entry !== undefined)) {
    all.push(await measureOnce(variant, connections));
    print(`heap, ${variant.name}: done`);
  }
  return all;
}

async function measureOnce(variant: Variant, connections: number): Promise<HeapFigures> {
  const stage = await openStage(variant, { instances: 1 });
  const loader = new Child('load/connections');
  const { node, port } = stage.instances[0] as Instance;
  const connect = (clients: number) =>
    loader.ask('connect', {
      dialect: variant.dialect,
      seats: Array.from({ length: clients }, () => ({ port })),
    } satisfies ConnectRequest);
  const heap = async () => (node as Child).ask<HeapUse>('heapUse');
  try {
    // What is made once, at the first client, is no client's.
    await connect(50);
    await loader.ask('join', 'warm-up-');
    const before = await heap();
    await connect(connections);
    const idle = await heap();
    await loader.ask('join', 'room-');
    const inRoom = await heap();
    return {
      variant,
      connections,
      idle: difference(before, idle, connections),
      inRoom: difference(before, inRoom, connections),
    };
  } finally {
    await loader.end();
    await stage.close();
  }
}

/** The most bytes first. */
function difference(before: HeapUse, after: HeapUse, connections: number): readonly HeapPart[] {
  const parts = [...after].map(([name, { bytes, objects }]) => ({
    name,
    bytes: (bytes - (before.get(name)?.bytes ?? 0)) / connections,
    objects: (objects - (before.get(name)?.objects ?? 0)) / connections,
  }));
  return parts.sort((a, b) => b.bytes - a.bytes);
}
