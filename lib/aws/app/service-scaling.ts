import { Duration } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ecs from 'aws-cdk-lib/aws-ecs';

export interface ScalingProps {
  readonly minTasks: number;
  readonly maxTasks: number;

  /** Average over the tasks, not over each task: its dimensions name the service. */
  readonly connections: cloudwatch.Metric;

  /** What `connections` is held at. */
  readonly connectionsPerTask: number;
}

/** In percent. Above it a reconnect storm after the loss of one task in three finds no CPU left. */
const cpuTarget = 60;

/** Out at once, in slowly: each task that goes moves its clients. The higher of the two wishes counts. */
export function scaleService(service: ecs.FargateService, props: ScalingProps): void {
  const scaling = service.autoScaleTaskCount({ minCapacity: props.minTasks, maxCapacity: props.maxTasks });
  const pace = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(15) };
  scaling.scaleToTrackCustomMetric('Connections', {
    metric: props.connections,
    targetValue: props.connectionsPerTask,
    ...pace,
  });
  scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: cpuTarget, ...pace });
}
