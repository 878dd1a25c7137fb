import { Duration } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { keeperSize } from '../calls/call-keeper.ts';
import { type CpuArchitecture, runtimePlatform } from '../cluster/image.ts';
import type { Place } from '../network/place.ts';
import type { LiveKitCapacity, NodeServiceProps } from './capacity.ts';
import { nodeSecurityGroup } from './node-security-group.ts';

export interface FargateCapacityProps {
  readonly place: Place;
  readonly cpuArchitecture: CpuArchitecture;

  /** CPU of a task in units of 1/1024 vCPU. */
  readonly cpu: number;

  /** Memory of a task in MiB. */
  readonly memoryMiB: number;

  /** The nodes relay media (TURN). */
  readonly turn: boolean;
}

/**
 * Fargate for LiveKit, to try it and for few calls: no hosts to keep, but 120 s at most for the calls of a task that
 * ends, and the kernel's small buffers for media (208 KB, where LiveKit asks for 5 MB).
 */
export class FargateCapacity extends Construct implements LiveKitCapacity {
  readonly connections: ec2.Connections;
  readonly cpuArchitecture: CpuArchitecture;
  // Nothing in a task knows the address that it is given.
  readonly addressSource = 'checkip';
  readonly targetType = elbv2.TargetType.IP;
  readonly longestStop = Duration.seconds(120);
  readonly nodeSize: LiveKitCapacity['nodeSize'];
  private readonly props: FargateCapacityProps;
  private readonly securityGroup: ec2.SecurityGroup;

  constructor(scope: Construct, id: string, props: FargateCapacityProps) {
    super(scope, id);
    this.props = props;
    this.cpuArchitecture = props.cpuArchitecture;
    this.nodeSize = {
      cpu: props.cpu - keeperSize.cpu,
      memoryReservationMiB: props.memoryMiB - keeperSize.memoryReservationMiB,
    };
    this.securityGroup = nodeSecurityGroup(this, 'SecurityGroup', {
      vpc: props.place.vpc,
      turn: props.turn,
    });
    this.connections = new ec2.Connections({ securityGroups: [this.securityGroup] });
  }

  defineTask(scope: Construct, id: string): ecs.FargateTaskDefinition {
    return new ecs.FargateTaskDefinition(scope, id, {
      cpu: this.props.cpu,
      memoryLimitMiB: this.props.memoryMiB,
      runtimePlatform: runtimePlatform(this.cpuArchitecture),
    });
  }

  createService(scope: Construct, id: string, props: NodeServiceProps): ecs.FargateService {
    return new ecs.FargateService(scope, id, {
      ...props,
      // Media goes straight between a task's own address and the browsers.
      vpcSubnets: this.props.place.publicSubnets,
      assignPublicIp: true,
      securityGroups: [this.securityGroup],
    });
  }
}
