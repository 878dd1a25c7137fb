import { Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { metricDimensions, metricNamespace } from '../../../app/metric-names.ts';
import { sharedFolder } from '../../../livekit/config/container.ts';
import {
  type SidecarMetric,
  sidecarEnvironment,
  type WatchedService,
} from '../../../livekit/sidecar/names.ts';
import { type CpuArchitecture, containerImage } from './image.ts';

export interface TaskProtectionProps {
  readonly cluster: ecs.ICluster;
  readonly cpuArchitecture: CpuArchitecture;

  /**
   * An image of the sidecar.
   * @default - built from livekit/sidecar/Dockerfile
   */
  readonly sidecarImageUri?: string;

  readonly logging: ecs.LogDriver;

  /** Value of the metric dimension `Deployment`. */
  readonly deployment: string;

  /** How long a superseded task may keep its calls. */
  readonly maxCallDrain: Duration;

  /** Where the sidecar finds the container that it watches; names as in livekit/sidecar/names.ts. */
  readonly environment: Readonly<Record<string, string>>;

  /** @default - none */
  readonly secrets?: Readonly<Record<string, ecs.Secret>>;
}

const volume = 'node';

/** Resources of the sidecar: CPU in units of 1/1024 vCPU, and reserved memory. */
export const sidecarSize = { cpu: 128, memoryReservationMiB: 128 } as const;

/**
 * Adds the sidecar that protects a task while it has calls (livekit/sidecar). It starts before the container that it
 * watches and stops after it. If the sidecar fails, ECS restarts it alone and the calls continue.
 */
export function addTaskProtection(
  task: ecs.TaskDefinition,
  watched: ecs.ContainerDefinition,
  props: TaskProtectionProps,
): void {
  task.addVolume({ name: volume });
  const sidecar = task.addContainer('sidecar', {
    image: containerImage(task, 'sidecar', props.cpuArchitecture, props.sidecarImageUri),
    essential: false,
    enableRestartPolicy: true,
    // By default ECS restarts no container that ends within five minutes of its start. This is ECS's minimum.
    restartAttemptPeriod: Duration.seconds(60),
    ...sidecarSize,
    readonlyRootFilesystem: true,
    environment: {
      // Older agents of EC2 hosts don't set it, and the SDK then knows no region.
      AWS_REGION: Stack.of(task).region,
      [sidecarEnvironment.deployment]: props.deployment,
      [sidecarEnvironment.emfNamespace]: metricNamespace,
      [sidecarEnvironment.folder]: sharedFolder.path,
      [sidecarEnvironment.maxCallDrainMinutes]: String(props.maxCallDrain.toMinutes()),
      ...props.environment,
    },
    secrets: { ...props.secrets },
    logging: props.logging,
  });
  // The sidecar writes files for the container that it watches; that container only reads them.
  sidecar.addMountPoints({ sourceVolume: volume, containerPath: sharedFolder.path, readOnly: false });
  watched.addMountPoints({ sourceVolume: volume, containerPath: sharedFolder.path, readOnly: true });
  watched.addContainerDependencies({
    container: sidecar,
    condition: ecs.ContainerDependencyCondition.START,
  });
  grantOwnCluster(task, {
    cluster: props.cluster,
    onTasks: ['ecs:DescribeTasks', 'ecs:UpdateTaskProtection'],
    onServices: ['ecs:DescribeServices'],
  });
}

/** Dimensions of the metrics that the sidecars of one service write into their logs. */
export interface SidecarMetricSource {
  readonly deployment: string;
  readonly service: WatchedService;
}

/** @param metricName as in livekit/sidecar/names.ts */
export function sidecarMetric(
  { deployment, service }: SidecarMetricSource,
  metricName: SidecarMetric,
  options?: cloudwatch.MetricOptions,
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: metricNamespace,
    metricName,
    dimensionsMap: { [metricDimensions.deployment]: deployment, [metricDimensions.service]: service },
    ...options,
  });
}

/** The ECS API actions that a container calls about its own task and service. */
interface TaskPermissions {
  readonly cluster: ecs.ICluster;

  /** Actions on tasks of the cluster. */
  readonly onTasks: readonly `ecs:${string}`[];

  /**
   * Actions on services of the cluster.
   * @default - none
   */
  readonly onServices?: readonly `ecs:${string}`[];
}

/** Allows a task to call ECS about tasks and services of its own cluster, and of no other. */
export function grantOwnCluster(
  task: ecs.TaskDefinition,
  { cluster, onTasks, onServices = [] }: TaskPermissions,
): void {
  grant(task, onTasks, arnIn(cluster, task, 'task'));
  if (onServices.length > 0) grant(task, onServices, arnIn(cluster, task, 'service'));
}

function grant(task: ecs.TaskDefinition, actions: readonly string[], resource: string): void {
  task.addToTaskRolePolicy(new iam.PolicyStatement({ actions: [...actions], resources: [resource] }));
  Validations.of(task.taskRole).acknowledge({
    id: `AwsSolutions::AwsSolutions-IAM5[Resource::${findingOf(task, resource)}]`,
    reason:
      'Ids of tasks and services exist only at run time; the rest of the ARN names this cluster and no other.',
  });
}

function arnIn(cluster: ecs.ICluster, scope: Construct, resource: 'task' | 'service'): string {
  return Stack.of(scope).formatArn({
    service: 'ecs',
    resource,
    resourceName: `${cluster.clusterName}/*`,
  });
}

/** An ARN as cdk-nag writes it in the id of a finding: references as `<LogicalId>`. */
function findingOf(scope: Construct, arn: string): string {
  const resolved = Stack.of(scope).resolve(arn);
  const parts: unknown[] = typeof resolved === 'string' ? [resolved] : resolved['Fn::Join'][1];
  return parts
    .map((part) => (typeof part === 'string' ? part : `<${(part as { Ref: string }).Ref}>`))
    .join('');
}
