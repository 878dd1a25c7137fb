import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { liveNodes, type NodeRecord, nodesKey } from '../../../livekit/config/live-nodes.ts';
import { type Check, CheckFailure, NotProvedError } from '../check.ts';
import type { LiveKitControl } from '../target/target.ts';
import { until } from '../wait.ts';
import { count } from '../wording.ts';

export const liveKitNodes: Check = {
  name: 'livekit-nodes',
  title: 'Every LiveKit node that runs is known to the others',
  needs: [],
  run: async (context) => {
    const { liveKit } = context.target;
    if (!liveKit?.redis)
      throw new NotProvedError("the nodes' Redis can be read only where `npm start` runs it here");
    const records = openRecords(liveKit.redis);
    try {
      let [live, running] = [-1, 0];
      const equal = await until(async () => {
        running = (await liveKit.nodes()).filter(({ pid }) => pid !== undefined).length;
        live = (await records.live()).length;
        return live === running;
      }, context);
      if (running === 0) throw new NotProvedError('LiveKit runs elsewhere, not in this topology');
      if (!equal) throw new CheckFailure(unequal(live, running));
      return { proved: `${count(live, 'node')} in Redis with fresh statistics, and as many run` };
    } finally {
      records.close();
    }
  },
};

export function unequal(live: number, running: number) {
  return {
    found: `${count(running, 'node')} run and ${live} said in Redis within the last 5 s that they live`,
    cause:
      live < running
        ? 'a node runs alone, for it was given no Redis or another one, or it hangs'
        : 'nodes of another environment use the same Redis, and would take its rooms',
    fix:
      live < running
        ? 'compare what the nodes were given as LIVEKIT_CONFIG: a wrong variable name is ignored'
        : 'give each environment a Redis of its own: LiveKit has no prefix for its keys',
  };
}

const connectTimeoutMs = 5_000;
/** The Redis hash with the node of each room. */
const roomsKey = 'room_node_map';

/** LiveKit's records in Redis. */
interface LiveKitRecords {
  /** The nodes whose record is fresh. */
  live(): Promise<NodeRecord[]>;
  /** The id of the node that hosts a room. */
  hostOf(room: string): Promise<string | undefined>;
  close(): void;
}

export function openRecords({ url, caFile }: NonNullable<LiveKitControl['redis']>): LiveKitRecords {
  const redis = new Redis(url, {
    tls: { ca: readFileSync(caFile) },
    connectTimeout: connectTimeoutMs,
    maxRetriesPerRequest: 1,
  });
  // A failed command throws, so this event needs no handling.
  redis.on('error', () => undefined);
  return {
    live: async () => liveNodes(await redis.hvalsBuffer(nodesKey)),
    hostOf: async (room) => (await redis.hget(roomsKey, room)) ?? undefined,
    close: () => redis.disconnect(),
  };
}
