import { useEffect, useState } from 'react';

/** One part of the topology on this machine. */
export interface LocalPart {
  readonly id: string;
  readonly kind: 'proxy' | 'redis' | 'instance' | 'livekit' | 'agent';
  readonly health?: string;
  /** Absent while it is not running. */
  readonly pid?: number;
}

/** What `npm start` lets its own page do: look at the parts, and break them. */
const base = '/local';

/** @returns undefined when it was done, else why not */
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

export async function readLocal(): Promise<readonly LocalPart[] | undefined> {
  try {
    const response = await fetch(`${base}/state`);
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    if (!response.ok || !isJson) return undefined;
    return ((await response.json()) as { parts: LocalPart[] }).parts;
  } catch {
    return undefined;
  }
}

/** Does the page come from a topology on this machine? Asked on loopback only. */
export function useIsLocal(): boolean {
  const [isLocal, setIsLocal] = useState(false);
  useEffect(() => {
    if (isLoopback()) void readLocal().then((parts) => setIsLocal(parts !== undefined));
  }, []);
  return isLocal;
}

function isLoopback(): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
}
