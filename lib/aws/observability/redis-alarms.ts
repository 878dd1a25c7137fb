import { DependencyGroup, type IDependable } from 'constructs';
import type { CacheNodes } from '../redis/cache-nodes.ts';
import type { ValkeyCache } from '../redis/valkey-cache.ts';
import type { RealtimeService } from '../service/realtime-service.ts';
import { type AddAlarm, fiveMinutes, highest, oneMinute } from './alarm.ts';

/** An instance opens a handful of connections, a LiveKit node ten for each processor. */
const connectionsPerTask = 50;
/** ElastiCache's own, and those of people who look. */
const otherConnections = 100;

const nodeIsReplaced = 'a node that is replaced reports nothing for minutes, and the alarm keeps its state';

/** The service recognizes a primary that was demoted, in the stack's own cache or in any other Redis. */
export function addBackplaneAlarms(add: AddAlarm, service: RealtimeService): void {
  add('DemotedPrimary', {
    after: service.running,
    runbook: 'The primary was demoted',
    meaning: 'Tasks keep finding a replica behind the primary’s name: a failover does not end.',
    metric: service.metricDemotedPrimary({ statistic: 'Sum', period: oneMinute }),
    above: 0,
    points: [3, 5],
    noData: 'fine',
    because: 'the service writes the line only when it happens',
  });
}

export interface WatchedCache {
  readonly cache: ValkeyCache;

  /** What the ids of its alarms begin with. */
  readonly idPrefix: string;

  /** What its alarms call it. */
  readonly name: string;

  /** What must exist before its alarms: those who use it. */
  readonly after: IDependable;

  /** Tasks that may use it at the same time. */
  readonly mostTasks: number;
}

/**
 * Alarms on a cache of the stack. The owner of another Redis watches it. What a single busy shard suffers from has an
 * alarm for each shard. What hits all of them alike has one for as many as an alarm can read.
 */
export function addCacheAlarms(add: AddAlarm, watched: WatchedCache): void {
  const { cache, idPrefix, name } = watched;
  for (const nodes of cache.nodes.byShard) {
    const [shard] = nodes.shards;
    const part = {
      nodes,
      suffix: shard ? `Shard${shard}` : '',
      of: shard ? `shard ${shard} of ${name}` : name,
    };
    addLoadAlarms(add, watched, part);
    if (shard)
      add(`${idPrefix}Primary${shard}`, {
        // The alarm of a shard that is added waits for the shard: until then, it would have no primary.
        after: new DependencyGroup(watched.after, cache),
        runbook: 'A shard has no primary',
        meaning: `No node of shard ${shard} of ${name} is its primary: rooms of this shard stand still.`,
        metric: nodes.metricHasPrimary({ period: oneMinute }),
        below: 1,
        points: [5, 5],
        noData: 'alarm',
        because: 'each node reports the metric once a minute: a shard of which none does is away',
      });
  }
  for (const [index, nodes] of cache.nodes.byAlarm.entries()) {
    const { shards } = nodes;
    const [first, last] = [shards[0], shards.at(-1)];
    const of = first === last ? name : `shards ${first} to ${last} of ${name}`;
    addFaultAlarms(add, watched, { nodes, suffix: index === 0 ? '' : `From${first}`, of });
  }
}

/** Nodes that have alarms in common. */
interface Part {
  readonly nodes: CacheNodes;
  /** What the ids of the alarms end with. */
  readonly suffix: string;
  /** What the alarms call the nodes. */
  readonly of: string;
}

function addLoadAlarms(add: AddAlarm, { idPrefix, after }: WatchedCache, { nodes, suffix, of }: Part): void {
  add(`${idPrefix}Memory${suffix}`, {
    after,
    runbook: 'The cache fills up',
    meaning: `A node of ${of} uses more than 70% of its memory; at 100% writes are refused.`,
    metric: nodes.metricMemoryUsage({ period: fiveMinutes }),
    above: 70,
    points: [2, 3],
    noData: 'unknown',
    because: nodeIsReplaced,
  });
  add(`${idPrefix}Cpu${suffix}`, {
    after,
    runbook: 'The cache is busy',
    meaning: `The thread of a node of ${of} that runs commands is busy for more than 80% of the time.`,
    metric: nodes.metricEngineCpu({ statistic: 'Average', period: fiveMinutes }),
    above: 80,
    points: [2, 3],
    noData: 'unknown',
    because: nodeIsReplaced,
  });
}

function addFaultAlarms(
  add: AddAlarm,
  { idPrefix, after, mostTasks }: WatchedCache,
  { nodes, suffix, of }: Part,
): void {
  const limit = otherConnections + connectionsPerTask * mostTasks;
  add(`${idPrefix}Connections${suffix}`, {
    after,
    runbook: 'The cache has too many connections',
    meaning: `A node of ${of} has more than ${limit} connections; at 65,000 it refuses more.`,
    metric: nodes.metricConnections({ period: fiveMinutes }),
    above: limit,
    points: [2, 3],
    noData: 'unknown',
    because: nodeIsReplaced,
  });
  for (const direction of ['In', 'Out'] as const)
    add(`${idPrefix}Network${direction}${suffix}`, {
      after,
      runbook: "The cache's network is throttled",
      meaning: `A node of ${of} ${direction === 'In' ? 'received' : 'sent'} more than its type may, and AWS held packets back.`,
      metric: nodes.metricThrottledPackets(direction, { period: oneMinute }),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'a node that is replaced has no packets to hold back',
    });
  add(`${idPrefix}Logins${suffix}`, {
    after,
    runbook: 'Logins to the cache fail',
    meaning: `A node of ${of} refused a login: a task has a wrong password, or somebody tries.`,
    metric: nodes.metricAuthenticationFailures({ period: fiveMinutes }),
    above: 0,
    points: [1, 1],
    noData: 'fine',
    because: 'a node that is replaced refuses nobody',
  });
  const lag = nodes.metricReplicationLag(highest);
  if (lag)
    add(`${idPrefix}Lag${suffix}`, {
      after,
      runbook: 'A replica lags behind',
      meaning: `A replica of ${of} is more than five seconds behind: a failover now would lose what it lacks.`,
      metric: lag,
      above: 5,
      points: [3, 5],
      noData: 'fine',
      because: 'a replica that is replaced reports no lag, and ElastiCache’s events report it',
    });
}
