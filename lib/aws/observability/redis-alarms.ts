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

/**
 * Alarms on the stack's own cache. The owner of another Redis watches it.
 *
 * @param mostTasks tasks that may use it at the same time
 */
export function addCacheAlarms(
  add: AddAlarm,
  cache: ValkeyCache,
  { running: after }: RealtimeService,
  mostTasks: number,
): void {
  add('CacheMemory', {
    after,
    runbook: 'The cache fills up',
    meaning: 'A node of the cache uses more than 70% of its memory; at 100% publishes are refused.',
    metric: cache.metricMemoryUsage({ period: fiveMinutes }),
    above: 70,
    points: [2, 3],
    noData: 'unknown',
    because: nodeIsReplaced,
  });
  add('CacheCpu', {
    after,
    runbook: 'The cache is busy',
    meaning: 'The thread of a cache node that runs commands is busy for more than 80% of the time.',
    metric: cache.metricEngineCpu({ statistic: 'Average', period: fiveMinutes }),
    above: 80,
    points: [2, 3],
    noData: 'unknown',
    because: nodeIsReplaced,
  });
  const limit = otherConnections + connectionsPerTask * mostTasks;
  add('CacheConnections', {
    after,
    runbook: 'The cache has too many connections',
    meaning: `A cache node has more than ${limit} connections; at 65,000 it refuses more.`,
    metric: cache.metricConnections({ period: fiveMinutes }),
    above: limit,
    points: [2, 3],
    noData: 'unknown',
    because: nodeIsReplaced,
  });
  addCacheFaultAlarms(add, cache, after);
}

function addCacheFaultAlarms(add: AddAlarm, cache: ValkeyCache, after: RealtimeService['running']): void {
  for (const direction of ['In', 'Out'] as const)
    add(`CacheNetwork${direction}`, {
      after,
      runbook: "The cache's network is throttled",
      meaning: `A cache node ${direction === 'In' ? 'received' : 'sent'} more than its type may, and AWS held packets back.`,
      metric: cache.metricThrottledPackets(direction, { period: oneMinute }),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'a node that is replaced has no packets to hold back',
    });
  add('CacheLogins', {
    after,
    runbook: 'Logins to the cache fail',
    meaning: 'The cache refused a login: a task has a wrong password, or somebody tries.',
    metric: cache.metricAuthenticationFailures({ period: fiveMinutes }),
    above: 0,
    points: [1, 1],
    noData: 'fine',
    because: 'a node that is replaced refuses nobody',
  });
  const lag = cache.metricReplicationLag(highest);
  if (lag)
    add('CacheLag', {
      after,
      runbook: 'A replica lags behind',
      meaning: 'A replica is more than five seconds behind: a failover now would lose what it lacks.',
      metric: lag,
      above: 5,
      points: [3, 5],
      noData: 'fine',
      because: 'a replica that is replaced reports no lag, and ElastiCache’s events report it',
    });
}
