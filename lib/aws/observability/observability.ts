import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { demotedReason, metricNamespace } from '../../../app/metric-names.ts';
import type { Agent } from '../agent/agent.ts';
import type { App } from '../app/app.ts';
import type { Backplane } from '../backplane/backplane.ts';
import type { LiveKit } from '../livekit/livekit.ts';
import { alarm, oneMinute } from './alarm.ts';

export interface ObservabilityProps {
  readonly topic: sns.ITopic;
  readonly app: App;
  readonly targets: elbv2.ApplicationTargetGroup;

  /** Tasks at least. */
  readonly minTasks: number;

  /** Instances join through Redis, whosever it is. */
  readonly joined: boolean;

  /**
   * The stack's own cache.
   * @default - none, or one whose alarms are its owner's
   */
  readonly backplane?: Backplane;

  /**
   * LiveKit's nodes, which are to find each other where instances are joined.
   * @default - none
   */
  readonly liveKit?: LiveKit;

  /** @default - none */
  readonly agent?: Agent;
}

const fiveMinutes = Duration.minutes(5);

/** The alarms: each tells what is wrong and which article of the RUNBOOK to open. */
export class Observability extends Construct {
  private readonly props: ObservabilityProps;

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id);
    this.props = props;
    this.watchTargets();
    this.watchReconnects();
    if (props.joined) this.watchJoin();
    if (props.backplane) this.watchMemory(props.backplane);
    if (props.joined && props.liveKit) this.watchNodes(props.liveKit);
    for (const service of [props.liveKit, props.agent]) if (service) this.watchCalls(service);
  }

  private watchTargets(): void {
    const { topic, targets, minTasks } = this.props;
    alarm(this, 'UnhealthyTargets', {
      topic,
      runbook: 'Instances are not ready',
      meaning: 'A task fails its health check: it never joined Redis, hangs, or does not listen.',
      metric: targets.metrics.unhealthyHostCount({ period: oneMinute, statistic: 'Maximum' }),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'it is reported while there are targets; their absence is the alarm of tasks',
    });
    alarm(this, 'TaskShortage', {
      topic,
      runbook: 'Fewer tasks than asked for',
      meaning: `Fewer than ${minTasks} tasks are healthy.`,
      // The highest of what the load balancer's nodes see: all of them agree that some are missing.
      metric: targets.metrics.healthyHostCount({ period: oneMinute, statistic: 'Maximum' }),
      below: minTasks,
      points: [10, 10],
      noData: 'alarm',
      because: 'it is reported while a single task is there',
    });
  }

  /** Clients that come back again and again: each connects more than once in five minutes, twice in a row. */
  private watchReconnects(): void {
    const { topic, app } = this.props;
    alarm(this, 'ReconnectRate', {
      topic,
      runbook: 'Clients reconnect again and again',
      meaning: 'More connections were opened in five minutes than are open: clients reconnect in circles.',
      metric: new cloudwatch.MathExpression({
        // A hundred at least: a handful of clients that come and go are no storm.
        expression: 'connects / IF(open / 5 > 100, open / 5, 100)',
        label: 'connects for each open connection',
        period: fiveMinutes,
        usingMetrics: {
          connects: app.metric('Connects', { statistic: 'Sum', period: fiveMinutes }),
          // Each task says once a minute how many it holds: the sum of five minutes is five times all of them.
          open: app.metric('Connections', { statistic: 'Sum', period: fiveMinutes }),
        },
      }),
      above: 1,
      points: [2, 2],
      noData: 'fine',
      because: 'tasks that write nothing are the alarm of tasks',
    });
  }

  private watchJoin(): void {
    const { topic, app } = this.props;
    alarm(this, 'ServiceDegraded', {
      topic,
      runbook: 'Service degraded',
      meaning: 'A task has lost Redis: publishes are refused there, and it does not hear the others.',
      metric: app.metric('Degraded', { statistic: 'Maximum', period: oneMinute }),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'tasks that write nothing are the alarm of tasks',
    });
    alarm(this, 'DemotedPrimary', {
      topic,
      runbook: 'The primary was demoted',
      meaning: 'Tasks keep finding a replica behind the primary’s name: a failover that does not end.',
      metric: this.demotions(),
      above: 0,
      points: [3, 5],
      noData: 'fine',
      because: 'the line is written only when it happens',
    });
  }

  /** Read from the log: the service knows it at once, ElastiCache says it minutes later. */
  private demotions(): cloudwatch.Metric {
    const { app } = this.props;
    const filter = new logs.MetricFilter(this, 'Demotions', {
      logGroup: app.realtime.logGroup,
      filterPattern: logs.FilterPattern.stringValue('$.reason', '=', demotedReason),
      // Filters take dimensions from a line's fields alone, and this line has no deployment: the namespace has.
      metricNamespace: `${metricNamespace}/${Stack.of(this).stackName}`,
      metricName: 'DemotedPrimary',
      metricValue: '1',
    });
    return filter.metric({ statistic: 'Sum', period: oneMinute });
  }

  /** A node that Redis does not know serves calls as ever, but for those that others hold the rooms of. */
  private watchNodes(liveKit: LiveKit): void {
    const { topic } = this.props;
    const runbook = 'LiveKit nodes run alone';
    alarm(this, 'LiveKitAlone', {
      topic,
      runbook,
      meaning: 'Fewer nodes live in Redis than tasks run: some are alone.',
      metric: nodesAndTasks(liveKit, 'tasks - nodes', 'nodes that the others do not know'),
      above: 0,
      points: [5, 6],
      noData: 'alarm',
      because: 'the sidecar of each node writes it once a minute: no node runs, or none reaches Redis',
    });
    // ECS does not count a task that ends, whose node lives as long as its calls may.
    const minutes = Math.ceil(liveKit.stopTimeout.toMinutes({ integral: false })) + 5;
    alarm(this, 'LiveKitStrangers', {
      topic,
      runbook,
      meaning: 'More nodes live in Redis than tasks run: another deployment uses the same Redis.',
      metric: nodesAndTasks(liveKit, 'nodes - tasks', 'nodes that are not of this deployment'),
      above: 0,
      points: [minutes, minutes],
      noData: 'fine',
      because: 'that is the alarm of nodes that are alone',
    });
  }

  private watchCalls(service: LiveKit | Agent): void {
    const { topic } = this.props;
    const { id } = service.node;
    alarm(this, `${id}Shortage`, {
      topic,
      runbook: 'Fewer tasks than asked for',
      meaning: `Fewer than ${service.minTasks} tasks of ${id} run.`,
      metric: service.metric('RunningTasks', { statistic: 'Maximum', period: oneMinute }),
      below: service.minTasks,
      points: [10, 10],
      noData: 'alarm',
      because: 'the sidecar of each task writes it once a minute',
    });
    // ECS protects no more tasks than the service wants: calls that began since then may be cut.
    alarm(this, `${id}CallsUnprotected`, {
      topic,
      runbook: 'A deployment waits for calls',
      meaning: `A task of ${id} has calls that ECS does not protect: more tasks are protected than the service wants (DEPLOYMENT_BLOCKED).`,
      metric: service.metric('DeploymentBlocked', { statistic: 'Maximum', period: oneMinute }),
      above: 0,
      points: [5, 6],
      noData: 'fine',
      because: 'sidecars that write nothing are the alarm of tasks that are missing',
    });
  }

  private watchMemory(backplane: Backplane): void {
    alarm(this, 'CacheMemory', {
      topic: this.props.topic,
      runbook: 'The cache fills up',
      meaning: 'A node of the cache uses more than 70% of its memory; at 100% publishes are refused.',
      metric: backplane.metricMemoryUsage({ period: fiveMinutes }),
      above: 70,
      points: [2, 3],
      noData: 'unknown',
      because: 'a node that is replaced reports nothing for minutes, and the alarm keeps its state',
    });
  }
}

function nodesAndTasks(liveKit: LiveKit, expression: string, label: string): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression,
    label,
    period: oneMinute,
    usingMetrics: {
      tasks: liveKit.metric('RunningTasks', { statistic: 'Maximum', period: oneMinute }),
      nodes: liveKit.metric('LiveNodes', { statistic: 'Minimum', period: oneMinute }),
    },
  });
}
