import type { Duration } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { Construct } from 'constructs';
import type { CpuArchitecture } from '../cluster/image.ts';

/** What LiveKit's nodes run on: EC2 hosts of their own, or Fargate. */
export interface LiveKitCapacity extends ec2.IConnectable {
  readonly cpuArchitecture: CpuArchitecture;

  /** Who tells a node's sidecar the public address: the host's metadata service, or AWS's page outside. */
  readonly addressSource: 'imds' | 'checkip';

  /** A load balancer's targets are hosts, or addresses of tasks. */
  readonly targetType: elbv2.TargetType;

  /**
   * The most time between SIGTERM and SIGKILL.
   * @default - no bound
   */
  readonly longestStop?: Duration;

  /** What a node's container takes: CPU in units of 1/1024 vCPU, and memory that is kept for it. */
  readonly nodeSize: { readonly cpu: number; readonly memoryReservationMiB: number };

  /** An empty task for a node. */
  defineTask(scope: Construct, id: string): ecs.TaskDefinition;

  /** Runs the tasks of nodes, one where another's ports would clash with it. */
  createService(scope: Construct, id: string, props: NodeServiceProps): ecs.BaseService;
}

export interface NodeServiceProps extends ecs.BaseServiceOptions {
  readonly taskDefinition: ecs.TaskDefinition;
  readonly availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing;
}
