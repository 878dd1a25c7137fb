import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessKind } from './processes/managed-process.ts';

export interface ProcessState {
  /** `app-1`, `livekit-1`, `redis`, `proxy` */
  readonly id: string;
  readonly kind: ProcessKind | 'proxy';
  /** Undefined between its death and its next start. */
  readonly pid?: number;
  readonly port?: number;
  /** The port on which an instance answers operators. */
  readonly adminPort?: number;
}

/** The address by which a Redis lets an administrator in, and the authority that signed its certificate. */
export interface RedisAdmin {
  readonly url: string;
  readonly caFile: string;
}

/** The description of a running topology, in its state file. */
export interface TopologyState {
  /** The load balancer's address, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** ISO 8601 */
  readonly startedAt: string;
  /** The topology's own process, which is the load balancer too. */
  readonly pid: number;
  readonly control: { readonly url: string; readonly token: string };
  /** Opens the service's HTTP API, and its metrics. */
  readonly serviceToken?: string;
  /** With shards, one node of a cluster, which names the others. */
  readonly redis?: RedisAdmin;
  /** The same of LiveKit's own, where a cluster has the rooms. @default LiveKit shares the other */
  readonly liveKitRedis?: RedisAdmin;
  readonly processes: readonly ProcessState[];
}

/** `.local` in the project's root. */
export const stateFolder = fileURLToPath(new URL('../../.local', import.meta.url));

export function stateFile(port: number, folder = stateFolder): string {
  return join(folder, `topology-${port}.json`);
}

/** Writes the file atomically; its owner alone can read it, since it has the control's token. */
export function writeState(file: string, state: TopologyState): void {
  mkdirSync(join(file, '..'), { recursive: true });
  const next = `${file}.${process.pid}.tmp`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

export function removeState(file: string): void {
  rmSync(file, { force: true });
}

/** Finds the topologies that run on this machine, the youngest first. Files that dead ones left are removed. */
export async function liveTopologies(folder = stateFolder): Promise<TopologyState[]> {
  const found = await Promise.all(stateFiles(folder).map(liveState));
  return found.filter((state) => state !== undefined).sort((a, b) => b.startedAt.localeCompare(a.startedAt));
}

function stateFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^topology-\d+\.json$/.test(name))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

async function liveState(file: string): Promise<TopologyState | undefined> {
  const state = readState(file);
  if (!state) return undefined;
  if (!isAlive(state.pid)) {
    removeState(file);
    return undefined;
  }
  // Another process may have the same id by now.
  return (await responds(state)) ? state : undefined;
}

function readState(file: string): TopologyState | undefined {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8'));
    return typeof state?.pid === 'number' && typeof state.control?.url === 'string' ? state : undefined;
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function responds({ control }: TopologyState): Promise<boolean> {
  try {
    const response = await fetch(`${control.url}/state`, {
      headers: { authorization: `Bearer ${control.token}` },
      signal: AbortSignal.timeout(5000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
