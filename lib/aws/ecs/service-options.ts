import { Duration, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { decryptSecrets } from '../account/decrypt-secrets.ts';

/** How many tasks a service runs. */
export interface TaskCount {
  readonly minTasks: number;

  /** Above `minTasks`, the service scales. */
  readonly maxTasks: number;
}

export const scales = ({ minTasks, maxTasks }: TaskCount): boolean => maxTasks > minTasks;

/**
 * Options that all services share: a deployment starts every new task before it stops an old one, and rolls back if
 * the new tasks fail.
 */
export function serviceOptions(count: TaskCount) {
  return {
    // A service that scales has no count here: each deployment would reset it to `minTasks`.
    ...(scales(count) ? {} : { desiredCount: count.minTasks }),
    minHealthyPercent: 100,
    maxHealthyPercent: 200,
    // The circuit breaker counts tasks that fail to start. Old tasks that wait for their calls do not trip it.
    circuitBreaker: { enable: true, rollback: true },
    // Rebalancing would move healthy tasks, and close the connections and calls on each of them.
    availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
    enableECSManagedTags: true,
    propagateTags: ecs.PropagatedTagSource.SERVICE,
  };
}

export interface ScalingTargets {
  /** Average CPU of all tasks, in percent. */
  readonly cpuPercent: number;

  /**
   * A load metric, and the average that a task may have of it. Its dimensions name the service, never a task.
   * @default - the service scales on CPU alone
   */
  readonly load?: { readonly id: string; readonly metric: cloudwatch.Metric; readonly perTask: number };

  /**
   * Time between two steps of scaling out.
   * @default Duration.minutes(1)
   */
  readonly scaleOutCooldown?: Duration;
}

/**
 * Target tracking: out quickly, in slowly, since each task that leaves moves its clients. If two targets disagree, the
 * higher number of tasks wins.
 */
export function scaleService(
  service: ecs.BaseService,
  { minTasks, maxTasks }: TaskCount,
  { cpuPercent, load, scaleOutCooldown = Duration.minutes(1) }: ScalingTargets,
): void {
  const scaling = service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
  const cooldowns = { scaleOutCooldown, scaleInCooldown: Duration.minutes(15) };
  if (load)
    scaling.scaleToTrackCustomMetric(load.id, {
      metric: load.metric,
      targetValue: load.perTask,
      ...cooldowns,
    });
  scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: cpuPercent, ...cooldowns });
}

/**
 * 1 while a service has all the tasks that it may have, and its load still asks for more; else 0. At `maxTasks` alone
 * nothing is wrong yet: a deployment doubles the tasks, and so may a peak that they carry.
 *
 * @param tasks the metric of how many there are
 * @returns undefined if the service does not scale
 */
export function unmetDemand(
  service: ecs.BaseService,
  counts: TaskCount,
  { cpuPercent, load }: ScalingTargets,
  tasks: (options: cloudwatch.MetricOptions) => cloudwatch.Metric,
): cloudwatch.IMetric | undefined {
  if (!scales(counts)) return undefined;
  const { maxTasks } = counts;
  const period = Duration.minutes(1);
  const overload = load ? `(cpu > ${cpuPercent} OR load > ${load.perTask})` : `cpu > ${cpuPercent}`;
  return new cloudwatch.MathExpression({
    expression: `IF(tasks >= ${maxTasks} AND ${overload}, 1, 0)`,
    label: `needs more than ${maxTasks} tasks`,
    period,
    usingMetrics: {
      tasks: tasks({ statistic: 'Maximum', period }),
      cpu: service.metricCpuUtilization({ statistic: 'Average', period }),
      ...(load && { load: load.metric }),
    },
  });
}

/** ECS's limit for the name under which it keeps the versions of a task definition. */
export const maxFamilyLength = 255;

/** Allows ECS to read secrets under a customer's KMS key when it starts a task. */
export function decryptAtStart(task: ecs.TaskDefinition, keyArn: string | undefined): void {
  if (keyArn) task.obtainExecutionRole().addToPrincipalPolicy(decryptSecrets(task, keyArn));
}

/** Acknowledges the findings of cdk-nag that every task definition has. */
export function acknowledgeTaskDefinition(task: ecs.TaskDefinition): void {
  Validations.of(task).acknowledge({
    id: 'AwsSolutions::AwsSolutions-ECS2',
    reason:
      'The variables are addresses, ports, names and timeouts; secrets come from Secrets Manager, the address of Redis from SSM.',
  });
  // On the execution role only: the role of the task itself has no `*` without an acknowledgement of its own.
  Validations.of(task.obtainExecutionRole()).acknowledge({
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason: 'ecr:GetAuthorizationToken knows no resources; the pull itself is granted on one repository.',
  });
}

/** Bytes of a log, which CloudWatch charges for. The CDK's own metric has no dimension: it counts the whole account's. */
export function logBytes(logGroup: LogGroup, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
  return logGroup.metricIncomingBytes({
    ...props,
    dimensionsMap: { LogGroupName: logGroup.logGroupName },
  });
}
