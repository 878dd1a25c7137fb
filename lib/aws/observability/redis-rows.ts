import type { NodeMetric } from '../redis/cache-nodes.ts';
import type { Redis } from '../redis/redis.ts';
import { ValkeyCache } from '../redis/valkey-cache.ts';
import type { RealtimeService } from '../service/realtime-service.ts';
import { highest } from './alarm.ts';
import { average, type DashboardRow, type Graph, percentiles, sum } from './dashboard.ts';

/** How the Redis of the service is: its nodes, where the stack has them. */
export function redisRow(service: RealtimeService, redis: Redis | undefined): DashboardRow {
  const latency: Graph = {
    title: 'Latency, as tasks see it',
    unit: 'ms',
    left: percentiles(['p50', 'p99', 'Maximum'], (options) => service.metric('RedisRoundTrip', options)),
  };
  if (!(redis instanceof ValkeyCache))
    return {
      title: 'Redis',
      text: 'Its owner has the metrics of its nodes. A rise of latency here: Redis, the network to it, or a task’s event loop.',
      articles: ['Service degraded', 'The primary was demoted'],
      graphs: [latency],
    };
  const isCluster = redis.nodes.shards.length > 0;
  return {
    title: 'Redis',
    text: `${isCluster ? shardsText : nodesText} ${heldBackText}`,
    articles: ['The primary was demoted', ...(isCluster ? ['A shard has no primary'] : []), ...cacheArticles],
    graphs: [...cacheLoad(redis), latency, ...cacheFaults(redis)],
  };
}

const nodesText =
  'Node 1, 2 … are the primary and its replicas; which is which, the replication lag says: the primary has none.';
const shardsText =
  'Node 0002-001 is the first of shard 0002; which one is the primary, the graph of primaries says: each shard must have one. A shard that is busier than the others has a room that is.';
const heldBackText =
  'Evictions must stay at zero. What is held back on the network was more than the node’s type may send or receive.';

const cacheArticles = [
  'The cache fills up',
  'The cache is busy',
  'The cache has too many connections',
  "The cache's network is throttled",
  'Logins to the cache fail',
  'A replica lags behind',
];

/** How LiveKit's own cache is. */
export function liveKitCacheRow(cache: ValkeyCache): DashboardRow {
  return {
    title: 'LiveKit’s cache',
    text: `Which node has which rooms and participants, beside a cluster that LiveKit can’t use. ${nodesText} ${heldBackText}`,
    articles: cacheArticles,
    graphs: [...cacheLoad(cache), ...cacheFaults(cache)],
  };
}

function cacheLoad({ nodes }: ValkeyCache): Graph[] {
  return [
    {
      title: 'CPU of the thread that runs commands, and of the node',
      unit: '%',
      left: nodes.metrics('EngineCPUUtilization', average),
      right: nodes.metrics('CPUUtilization', average),
      rightUnit: '%',
    },
    { title: 'Memory', unit: '%', left: nodes.metrics('DatabaseMemoryUsagePercentage', highest) },
    {
      title: 'Connections',
      unit: 'connections',
      left: nodes.metrics('CurrConnections', highest),
      right: nodes.metrics('NewConnections', sum),
      rightUnit: 'new a minute',
    },
  ];
}

function cacheFaults({ nodes }: ValkeyCache): Graph[] {
  const summed = (...names: NodeMetric[]) => names.flatMap((name) => nodes.metrics(name, sum));
  return [
    ...(nodes.shards.length > 0
      ? [{ title: 'Primaries', unit: '1 is the primary', left: nodes.metrics('IsMaster', highest) }]
      : []),
    { title: 'Evictions', unit: 'keys', left: summed('Evictions') },
    {
      title: 'Replication lag',
      unit: 'seconds',
      left: nodes.metrics('ReplicationLag', highest),
    },
    {
      title: 'Denied: logins, commands, keys, channels',
      unit: 'a minute',
      left: summed(
        'AuthenticationFailures',
        'CommandAuthorizationFailures',
        'KeyAuthorizationFailures',
        'ChannelAuthorizationFailures',
      ),
    },
    {
      title: 'Packets held back',
      unit: 'a minute',
      left: summed(
        'NetworkBandwidthInAllowanceExceeded',
        'NetworkBandwidthOutAllowanceExceeded',
        'NetworkPacketsPerSecondAllowanceExceeded',
      ),
    },
  ];
}
