import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { liveNodes, nodesKey } from '../config/live-nodes.ts';
import type { SidecarRedis } from './environment.ts';

/** Counts the live nodes in the Redis that this node uses. */
export interface NodeCounter {
  /** @throws if Redis does not respond */
  count(): Promise<number>;
  close(): void;
}

const timeoutMs = 3_000;

export function openNodeCounter({ host, port, username, password, db, tls }: SidecarRedis): NodeCounter {
  const redis = new Redis({
    host,
    port,
    db,
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
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
