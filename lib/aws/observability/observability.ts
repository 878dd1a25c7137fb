import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct, type IDependable } from 'constructs';
import type { Agent } from '../agent/agent.ts';
import type { LiveKit } from '../livekit/livekit.ts';
import type { Redis } from '../redis/redis.ts';
import { ValkeyCache } from '../redis/valkey-cache.ts';
import type { RealtimeService } from '../service/realtime-service.ts';
import { type AlarmProps, alarm } from './alarm.ts';

export interface ObservabilityProps {
  readonly topic: sns.ITopic;
  readonly service: RealtimeService;

  /**
   * The Redis that connects the instances. If it is the stack's own cache, its memory is watched too; the owner of an
   * existing Redis watches it.
   * @default - the service runs alone
   */
  readonly redis?: Redis;

  /** @default - there are no calls */
  readonly liveKit?: LiveKit;

  /** @default - there is no voice agent */
  readonly agent?: Agent;
}

const oneMinute = Duration.minutes(1);
const fiveMinutes = Duration.minutes(5);
const total = { statistic: 'Sum', period: fiveMinutes };
const highest = { statistic: 'Maximum', period: oneMinute };
const lowest = { statistic: 'Minimum', period: oneMinute };

/** The alarms. Each says what is wrong, and which article of RUNBOOK.md to open. */
export class Observability extends Construct {
  private readonly topic: sns.ITopic;

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id);
    this.topic = props.topic;
    const { service, redis, liveKit, agent } = props;
    this.watchTasks(service);
    this.watchReconnects(service);
    if (service.isConnected) this.watchBackplane(service);
    if (redis instanceof ValkeyCache) this.watchMemory(service, redis);
    if (liveKit?.isConnected) this.watchNodes(liveKit);
    for (const calls of [liveKit, agent]) if (calls) this.watchCalls(calls);
  }

  /** @param after what the alarm watches: before its tasks run, the alarm would wake somebody at each first deployment */
  private alarm(after: IDependable, id: string, props: Omit<AlarmProps, 'topic'>): void {
    alarm(this, id, { ...props, topic: this.topic }).node.addDependency(after);
  }

  private watchTasks(service: RealtimeService): void {
    this.alarm(service.running, 'UnhealthyTargets', {
      runbook: 'Instances are not ready',
      meaning: 'A task fails its health check: it never joined Redis, hangs, or does not listen.',
      metric: service.metricUnhealthyTasks(highest),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'the metric exists while there are targets; their absence is the alarm of tasks',
    });
    this.alarm(service.running, 'TaskShortage', {
      runbook: 'Fewer tasks than asked for',
      meaning: `Fewer than ${service.minTasks} tasks are healthy.`,
      // Each node of the load balancer reports. The maximum fires only when all of them agree that tasks are missing.
      metric: service.metricHealthyTasks(highest),
      below: service.minTasks,
      points: [10, 10],
      noData: 'alarm',
      because: 'the metric exists while there is a single task',
    });
  }

  /** Fires when, twice in a row, clients connected more than once on average in five minutes. */
  private watchReconnects(service: RealtimeService): void {
    this.alarm(service.running, 'ReconnectRate', {
      runbook: 'Clients reconnect again and again',
      meaning: 'More connections were opened in five minutes than are open: clients reconnect in circles.',
      metric: new cloudwatch.MathExpression({
        // Below a hundred connections, a few clients that come and go would look like a storm.
        expression: 'connects / IF(open / 5 > 100, open / 5, 100)',
        label: 'connects for each open connection',
        period: fiveMinutes,
        usingMetrics: {
          connects: service.metric('Connects', total),
          // Each task reports its connections once a minute, so the sum of five minutes is five times the connections.
          open: service.metric('Connections', total),
        },
      }),
      above: 1,
      points: [2, 2],
      noData: 'fine',
      because: 'tasks that write no metrics are the alarm of tasks',
    });
  }

  private watchBackplane(service: RealtimeService): void {
    this.alarm(service.running, 'ServiceDegraded', {
      runbook: 'Service degraded',
      meaning: 'A task has lost Redis: it refuses publishes and hears nothing from the other tasks.',
      metric: service.metric('Degraded', highest),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'tasks that write no metrics are the alarm of tasks',
    });
    this.alarm(service.running, 'DemotedPrimary', {
      runbook: 'The primary was demoted',
      meaning: 'Tasks keep finding a replica behind the primary’s name: a failover does not end.',
      metric: service.metricDemotedPrimary({ statistic: 'Sum', period: oneMinute }),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'the service writes the line only when it happens',
    });
  }

  private watchMemory(service: RealtimeService, cache: ValkeyCache): void {
    this.alarm(service.running, 'CacheMemory', {
      runbook: 'The cache fills up',
      meaning: 'A node of the cache uses more than 70% of its memory; at 100% publishes are refused.',
      metric: cache.metricMemoryUsage({ period: fiveMinutes }),
      above: 70,
      points: [2, 3],
      noData: 'unknown',
      because: 'a node that is replaced reports nothing for minutes, and the alarm keeps its state',
    });
  }

  /** A node that Redis does not know still serves calls, except those whose room is on another node. */
  private watchNodes(liveKit: LiveKit): void {
    const runbook = 'LiveKit nodes run alone';
    const difference = (expression: string, label: string) =>
      new cloudwatch.MathExpression({
        expression,
        label,
        period: oneMinute,
        usingMetrics: {
          tasks: liveKit.metric('RunningTasks', highest),
          nodes: liveKit.metric('LiveNodes', lowest),
        },
      });
    this.alarm(liveKit.service, 'LiveKitAlone', {
      runbook,
      meaning: 'Redis knows fewer live nodes than there are running tasks: some nodes run alone.',
      metric: difference('tasks - nodes', 'nodes that the others do not know'),
      above: 0,
      points: [5, 6],
      noData: 'alarm',
      because:
        'the sidecar of each node writes the metric once a minute: no node runs, or none reaches Redis',
    });
    // ECS no longer counts a task that is stopping, and its node lives until its calls end or the timeout is over.
    const minutes = Math.ceil(liveKit.stopTimeout.toMinutes({ integral: false })) + 5;
    this.alarm(liveKit.service, 'LiveKitStrangers', {
      runbook,
      meaning:
        'Redis knows more live nodes than there are running tasks: another deployment uses the same Redis.',
      metric: difference('nodes - tasks', 'nodes that are not of this deployment'),
      above: 0,
      points: [minutes, minutes],
      noData: 'fine',
      because: 'that is the alarm of nodes that run alone',
    });
  }

  private watchCalls(service: LiveKit | Agent): void {
    const { id } = service.node;
    this.alarm(service.service, `${id}Shortage`, {
      runbook: 'Fewer tasks than asked for',
      meaning: `Fewer than ${service.minTasks} tasks of ${id} run.`,
      metric: service.metric('RunningTasks', highest),
      below: service.minTasks,
      points: [10, 10],
      noData: 'alarm',
      because: 'the sidecar of each task writes the metric once a minute',
    });
    // ECS protects at most as many tasks as the service wants. Calls on a task that it refuses may be cut.
    this.alarm(service.service, `${id}CallsUnprotected`, {
      runbook: 'A deployment waits for calls',
      meaning: `A task of ${id} has calls that ECS does not protect: more tasks are protected than the service wants (DEPLOYMENT_BLOCKED).`,
      metric: service.metric('DeploymentBlocked', highest),
      above: 0,
      points: [5, 6],
      noData: 'fine',
      because: 'sidecars that write no metrics are the alarm of missing tasks',
    });
  }
}
