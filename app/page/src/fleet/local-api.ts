import { useEffect, useState } from 'react';

/** One process of the topology on this machine. */
export interface LocalProcess {
  readonly id: string;
  readonly kind: 'proxy' | 'redis' | 'instance' | 'livekit' | 'agent';
  readonly health?: string;
  /** Absent while it is not running. */
  readonly pid?: number;
}

/** One shard of the topology's Redis. */
export interface LocalShard {
  /** From 1. */
  readonly shard: number;
  /** The node that serves it; absent while none does. */
  readonly primary?: string;
  readonly replicas: readonly string[];
  readonly slots: number;
}

export interface LocalTopology {
  readonly processes: readonly LocalProcess[];
  /** Empty where one server has all rooms. */
  readonly shards: readonly LocalShard[];
}

/** The API that `npm start` offers to its own page: read the processes, and break them. */
const base = '/local';

/** @returns undefined if it worked, else the reason */
export async function callLocal(method: 'POST', path: string): Promise<string | undefined> {
  try {
    const response = await fetch(base + path, { method });
    if (response.ok) return undefined;
    const { error } = (await response.json().catch(() => ({}))) as { error?: string };
    return error ?? `the topology answered ${response.status}`;
  } catch (error) {
    return `the topology does not answer: ${(error as Error).message}`;
  }
}

async function readLocal(): Promise<LocalTopology | undefined> {
  try {
    const response = await fetch(`${base}/state`);
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    if (!response.ok || !isJson) return undefined;
    const { processes, shards = [] } = (await response.json()) as Partial<LocalTopology>;
    return { processes: processes ?? [], shards };
  } catch {
    return undefined;
  }
}

const everyMs = 1_000;

/** The topology on this machine that the page comes from. Undefined elsewhere; it is requested on loopback only. */
export function useLocalTopology(): LocalTopology | undefined {
  const [topology, setTopology] = useState<LocalTopology>();
  useEffect(() => {
    if (!isLoopback()) return;
    let timer: number | undefined;
    const look = async () => {
      const found = await readLocal();
      // Where a service was started without one there is none later.
      if (found) timer ??= window.setInterval(look, everyMs);
      if (found) setTopology(found);
    };
    void look();
    return () => clearInterval(timer);
  }, []);
  return topology;
}

/** Whether the page comes from a topology on this machine. */
export function useIsLocal(): boolean {
  const [isLocal, setIsLocal] = useState(false);
  useEffect(() => {
    if (isLoopback()) void readLocal().then((topology) => setIsLocal(topology !== undefined));
  }, []);
  return isLocal;
}

function isLoopback(): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
}
