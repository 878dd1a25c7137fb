import { Stack, Validations } from 'aws-cdk-lib';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** The ECS API actions that a container calls about its own task and service. */
export interface TaskPermissions {
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
