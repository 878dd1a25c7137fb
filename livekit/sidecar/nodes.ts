import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { liveNodes, nodesKey } from '../config/live-nodes.ts';
import type { SidecarRedis } from './environment.ts';

/** How many nodes live, as the Redis of this node says. */
export interface NodeCounter {
  /** @throws when Redis can't be asked */
  count(): Promise<number>;
  close(): void;
}

const answerMs = 3_000;

export function openNodeCounter({ host, port, username, password, db, tls }: SidecarRedis): NodeCounter {
  const redis = new Redis({
    host,
    port,
    db,
    lazyConnect: true,
    connectTimeout: answerMs,
    commandTimeout: answerMs,
    maxRetriesPerRequest: 1,
    // The node's user may ask what the node asks, and no INFO.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) } } : {}),
  });
  // Each is told by the question that it fails.
  redis.on('error', () => undefined);
  return {
    count: async () => liveNodes(await redis.hvalsBuffer(nodesKey)).length,
    close: () => redis.disconnect(),
  };
}
