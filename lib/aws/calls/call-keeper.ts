import { type Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import { metricDimensions, metricNamespace } from '../../../app/metric-names.ts';
import { nodeFiles } from '../../../livekit/config/entrypoint.ts';
import {
  type SidecarMetric,
  sidecarEnvironment,
  type WatchedService,
} from '../../../livekit/sidecar/names.ts';
import { wildcardOf } from '../cluster/wildcard.ts';

export interface CallKeeperProps {
  readonly cluster: ecs.ICluster;
  readonly image: ecs.ContainerImage;
  readonly logging: ecs.LogDriver;

  /** Value of the dimension `Deployment`. */
  readonly deployment: string;

  /** Time for which a superseded task may keep its calls. */
  readonly maxCallDrain: Duration;

  /** What it watches, as `livekit/sidecar/names.ts` spells it. */
  readonly environment: Readonly<Record<string, string>>;

  /** @default - none */
  readonly secrets?: Readonly<Record<string, ecs.Secret>>;
}

const volume = 'node';

/** What the sidecar takes: CPU in units of 1/1024 vCPU, and memory that is kept for it. */
export const keeperSize = { cpu: 128, memoryReservationMiB: 128 } as const;

/**
 * Adds the sidecar that protects a task while it has calls. What it watches mounts its folder by `mountKeeperFolder`.
 * It starts first and ends last; if it fails alone it is started again, and calls go on.
 */
export function addCallKeeper(task: ecs.TaskDefinition, props: CallKeeperProps): ecs.ContainerDefinition {
  task.addVolume({ name: volume });
  const keeper = task.addContainer('sidecar', {
    image: props.image,
    essential: false,
    enableRestartPolicy: true,
    ...keeperSize,
    readonlyRootFilesystem: true,
    environment: {
      [sidecarEnvironment.deployment]: props.deployment,
      [sidecarEnvironment.emfNamespace]: metricNamespace,
      [sidecarEnvironment.folder]: nodeFiles.folder,
      [sidecarEnvironment.maxCallDrainMinutes]: String(props.maxCallDrain.toMinutes()),
      ...props.environment,
    },
    secrets: { ...props.secrets },
    logging: props.logging,
  });
  keeper.addMountPoints({ sourceVolume: volume, containerPath: nodeFiles.folder, readOnly: false });
  letItProtect(task, props.cluster);
  return keeper;
}

/** The container reads what the sidecar writes, and starts after it. */
export function mountKeeperFolder(container: ecs.ContainerDefinition, keeper: ecs.ContainerDefinition): void {
  container.addMountPoints({ sourceVolume: volume, containerPath: nodeFiles.folder, readOnly: true });
  container.addContainerDependencies({
    container: keeper,
    condition: ecs.ContainerDependencyCondition.START,
  });
}

/** What the sidecars of a service's tasks write into the log. */
export interface KeeperMetricSource {
  /** Value of the dimension `Deployment`. */
  readonly deployment: string;
  readonly service: WatchedService;
}

/** @param name as in livekit/sidecar/names.ts */
export function keeperMetric(
  { deployment, service }: KeeperMetricSource,
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

/** On the cluster's tasks and services: their ids are known when they run, and a name of its own would clash. */
function letItProtect(task: ecs.TaskDefinition, cluster: ecs.ICluster): void {
  const arn = (resource: string) =>
    Stack.of(task).formatArn({ service: 'ecs', resource, resourceName: `${cluster.clusterName}/*` });
  const [tasks, services] = [arn('task'), arn('service')];
  task.addToTaskRolePolicy(
    new iam.PolicyStatement({
      actions: ['ecs:DescribeTasks', 'ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'],
      resources: [tasks],
    }),
  );
  task.addToTaskRolePolicy(
    new iam.PolicyStatement({ actions: ['ecs:DescribeServices'], resources: [services] }),
  );
  const reason =
    'Ids of tasks and services are known when they run; the rest of the ARN names this cluster alone.';
  Validations.of(task.taskRole).acknowledge(
    ...[tasks, services].map((resource) => ({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::${wildcardOf(task, resource)}]`,
      reason,
    })),
  );
}

/** What cdk-nag finds at each task that has a sidecar. */
export function acknowledgeTask(task: ecs.TaskDefinition): void {
  Validations.of(task).acknowledge({
    id: 'AwsSolutions::AwsSolutions-ECS2',
    reason: 'The variables are addresses, ports and names; secrets come from Secrets Manager.',
  });
  Validations.of(task.obtainExecutionRole()).acknowledge({
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason: 'ecr:GetAuthorizationToken knows no resources; the pull itself is granted on one repository.',
  });
}
