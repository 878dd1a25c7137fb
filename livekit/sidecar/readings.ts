import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { liveNodes, nodesKey } from '../config/live-nodes.ts';
import type { SidecarRedis } from './environment.ts';

const timeoutMs = 2_000;

/**
 * The load of the task: participants of a LiveKit node, from its metrics, or jobs of an agent's worker.
 *
 * @throws Error if the load can't be read
 */
export async function readLoad(url: string): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${url} responded with ${response.status}`);
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return isJson ? jobsIn(await response.json()) : participantsIn(await response.text());
}

/** Python's workers write protobuf's JSON, which leaves a zero out. Whatever else they leave out, they name their SDK. */
function jobsIn(answer: unknown): number {
  const { active_jobs: jobs, sdk_version: version } = (answer ?? {}) as Record<string, unknown>;
  if (typeof jobs === 'number') return jobs;
  if (jobs === undefined && typeof version === 'string') return 0;
  throw new Error('the response is not that of a worker: it has no active_jobs');
}

/** Participants of all rooms. LiveKit reports this metric only once there was a participant. */
function participantsIn(metrics: string): number {
  if (!/^livekit_/m.test(metrics)) throw new Error('the response has no metrics of LiveKit');
  const samples = metrics.matchAll(/^livekit_participant_total(?:\{[^}]*\})? (\S+)/gm);
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Counts the live nodes in the Redis that this node uses. */
export interface NodeCounter {
  /** @throws if Redis does not respond */
  count(): Promise<number>;
  close(): void;
}

const redisTimeoutMs = 3_000;

export function openNodeCounter({ host, port, username, password, db, tls }: SidecarRedis): NodeCounter {
  const redis = new Redis({
    host,
    port,
    db,
    lazyConnect: true,
    connectTimeout: redisTimeoutMs,
    commandTimeout: redisTimeoutMs,
    maxRetriesPerRequest: 1,
    // The node's Redis user may not call INFO or CLIENT SETINFO.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) } } : {}),
  });
  // Each call reports its own error.
  redis.on('error', () => undefined);
  return {
    count: async () => liveNodes(await redis.hvalsBuffer(nodesKey)).length,
    close: () => redis.disconnect(),
  };
}
