import { useEffect, useState } from 'react';

/** One process of the topology on this machine. */
export interface LocalProcess {
  readonly id: string;
  readonly kind: 'proxy' | 'redis' | 'instance' | 'livekit' | 'agent';
  readonly health?: string;
  /** Absent while it is not running. */
  readonly pid?: number;
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

export async function readLocal(): Promise<readonly LocalProcess[] | undefined> {
  try {
    const response = await fetch(`${base}/state`);
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    if (!response.ok || !isJson) return undefined;
    return ((await response.json()) as { processes: LocalProcess[] }).processes;
  } catch {
    return undefined;
  }
}

/** Whether the page comes from a topology on this machine. It is requested on loopback only. */
export function useIsLocal(): boolean {
  const [isLocal, setIsLocal] = useState(false);
  useEffect(() => {
    if (isLoopback()) void readLocal().then((processes) => setIsLocal(processes !== undefined));
  }, []);
  return isLocal;
}

function isLoopback(): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
}
