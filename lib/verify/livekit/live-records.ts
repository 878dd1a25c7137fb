import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { liveNodes, type NodeRecord, nodesKey } from '../../../livekit/config/live-nodes.ts';
import type { LiveKitControl } from './control.ts';

const connectTimeoutMs = 5_000;
/** The hash in which LiveKit keeps which node has which room. */
const roomsKey = 'room_node_map';

/** What LiveKit keeps in Redis. */
export interface LiveKitRecords {
  /** The nodes that said lately that they live. */
  live(): Promise<NodeRecord[]>;
  /** The id of the node that has a room. */
  hostOf(room: string): Promise<string | undefined>;
  close(): void;
}

export function openRecords({ url, caFile }: NonNullable<LiveKitControl['redis']>): LiveKitRecords {
  const redis = new Redis(url, {
    tls: { ca: readFileSync(caFile) },
    connectTimeout: connectTimeoutMs,
    maxRetriesPerRequest: 1,
  });
  // A command that fails tells.
  redis.on('error', () => undefined);
  return {
    live: async () => liveNodes(await redis.hvalsBuffer(nodesKey)),
    hostOf: async (room) => (await redis.hget(roomsKey, room)) ?? undefined,
    close: () => redis.disconnect(),
  };
}
