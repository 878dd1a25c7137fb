import { Duration } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { physicalName } from '../account/physical-name.ts';
import { type CpuArchitecture, runtimePlatform } from '../ecs/image.ts';
import { maxFamilyLength } from '../ecs/service-options.ts';
import { sidecarSize } from '../ecs/task-protection.ts';
import { routesOf } from '../network/network-placement.ts';
import {
  type LiveKitCapacity,
  type NodeSecurityGroupProps,
  type NodeServiceProps,
  nodeSecurityGroup,
} from './capacity.ts';

export interface FargateCapacityProps extends NodeSecurityGroupProps {
  readonly cpuArchitecture: CpuArchitecture;

  /** CPU of a task in units of 1/1024 vCPU. */
  readonly cpu: number;

  /** Memory of a task in MiB. */
  readonly memoryMiB: number;
}

/**
 * Fargate for LiveKit, to try it and for few calls. There are no hosts to maintain, but a task that ends gives its
 * calls 120 s at most, and the kernel's buffers for media are small (208 KB; LiveKit asks for 5 MB).
 */
export class FargateCapacity extends Construct implements LiveKitCapacity {
  readonly connections: ec2.Connections;
  readonly cpuArchitecture: CpuArchitecture;
  // Nothing inside a task knows its public address.
  readonly addressSource = 'checkip';
  readonly targetType = elbv2.TargetType.IP;
  readonly maxStopTimeout = Duration.seconds(120);
  readonly nodeSize: LiveKitCapacity['nodeSize'];
  private readonly props: FargateCapacityProps;
  private readonly securityGroup: ec2.SecurityGroup;

  constructor(scope: Construct, id: string, props: FargateCapacityProps) {
    super(scope, id);
    this.props = props;
    this.cpuArchitecture = props.cpuArchitecture;
    this.nodeSize = {
      cpu: props.cpu - sidecarSize.cpu,
      memoryReservationMiB: props.memoryMiB - sidecarSize.memoryReservationMiB,
    };
    this.securityGroup = nodeSecurityGroup(this, 'SecurityGroup', props);
    this.connections = new ec2.Connections({ securityGroups: [this.securityGroup] });
  }

  defineTask(scope: Construct, id: string): ecs.FargateTaskDefinition {
    return new ecs.FargateTaskDefinition(scope, id, {
      family: physicalName(scope, maxFamilyLength),
      cpu: this.props.cpu,
      memoryLimitMiB: this.props.memoryMiB,
      runtimePlatform: runtimePlatform(this.cpuArchitecture),
    });
  }

  createService(scope: Construct, id: string, props: NodeServiceProps): ecs.FargateService {
    const { network } = this.props;
    const service = new ecs.FargateService(scope, id, {
      ...props,
      // Media flows directly between the task's own address and the browsers.
      vpcSubnets: network.publicSubnets,
      assignPublicIp: true,
      securityGroups: [this.securityGroup],
    });
    service.node.addDependency(routesOf(network, network.publicSubnets));
    return service;
  }
}
