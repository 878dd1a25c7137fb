import { Duration, Validations } from 'aws-cdk-lib';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct, Dependable, type IDependable } from 'constructs';
import { physicalName } from '../account/physical-name.ts';
import type { CpuArchitecture } from '../ecs/image.ts';
import { maxFamilyLength } from '../ecs/service-options.ts';
import { routesOf } from '../network/network-placement.ts';
import {
  type LiveKitCapacity,
  type NodeSecurityGroupProps,
  type NodeServiceProps,
  nodeSecurityGroup,
} from './capacity.ts';

export interface Ec2CapacityProps extends NodeSecurityGroupProps {
  readonly cluster: ecs.Cluster;

  /** Nodes at least. Each has a host of its own. */
  readonly minTasks: number;

  /** Nodes at most. A deployment needs twice as many hosts. */
  readonly maxTasks: number;

  /** EC2 instance type, such as `c7g.xlarge`. */
  readonly instanceType: string;

  /** Keeps the group from ending a host that runs a node. In dev it would also keep `cdk destroy` from finishing. */
  readonly terminationProtection: boolean;

  /** Topic to which the group reports hosts that start and end. */
  readonly notifications: sns.ITopic;
}

/** CPU that is reserved for the host, the ECS agent and the sidecar, in units of 1/1024 vCPU. */
const hostCpu = 256;

/**
 * EC2 hosts for LiveKit, one for each node. They are in public subnets and use host networking, because media flows
 * directly between them and the browsers, and their kernel has large enough buffers. A node that ends may give its
 * calls as much time as it likes.
 */
export class Ec2Capacity extends Construct implements LiveKitCapacity {
  readonly connections: ec2.Connections;
  readonly cpuArchitecture: CpuArchitecture;
  readonly addressSource = 'imds';
  readonly targetType = elbv2.TargetType.INSTANCE;
  readonly nodeSize: LiveKitCapacity['nodeSize'];

  private readonly capacityProvider: ecs.AsgCapacityProvider;
  private readonly role: iam.Role;
  /** Services depend on it. Otherwise their creation would race with it, and deletion would fail with "in use". */
  private readonly providerAssociation: IDependable;

  constructor(scope: Construct, id: string, props: Ec2CapacityProps) {
    super(scope, id);
    if (!Number.isInteger(props.minTasks) || props.minTasks < 1)
      throw new Error(`\`minTasks\` must be a whole number from 1, got: ${props.minTasks}`);
    this.cpuArchitecture = architectureOf(props.instanceType);
    this.nodeSize = {
      cpu: 1024 * vCpusOf(props.instanceType) - hostCpu,
      memoryReservationMiB: 1024,
    };
    // Containers share the host's network, so they could use this role. It has the ECS agent's permissions only.
    this.role = new iam.Role(this, 'HostRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const securityGroup = nodeSecurityGroup(this, 'SecurityGroup', props);
    this.connections = new ec2.Connections({ securityGroups: [securityGroup] });
    const group = this.createGroup(props, securityGroup);
    this.capacityProvider = new ecs.AsgCapacityProvider(this, 'CapacityProvider', {
      autoScalingGroup: group,
      enableManagedScaling: true,
      targetCapacityPercent: 100,
      enableManagedTerminationProtection: props.terminationProtection,
      enableManagedDraining: true,
    });
    props.cluster.addAsgCapacityProvider(this.capacityProvider);
    this.providerAssociation = associationOf(props.cluster);
    this.acknowledgeAgentRole();
  }

  defineTask(scope: Construct, id: string): ecs.Ec2TaskDefinition {
    return new ecs.Ec2TaskDefinition(scope, id, {
      family: physicalName(scope, maxFamilyLength),
      networkMode: ecs.NetworkMode.HOST,
    });
  }

  createService(scope: Construct, id: string, props: NodeServiceProps): ecs.Ec2Service {
    const service = new ecs.Ec2Service(scope, id, {
      ...props,
      capacityProviderStrategies: [
        { capacityProvider: this.capacityProvider.capacityProviderName, weight: 1 },
      ],
      placementConstraints: [ecs.PlacementConstraint.distinctInstances()],
      placementStrategies: [ecs.PlacementStrategy.spreadAcross(ecs.BuiltInAttributes.AVAILABILITY_ZONE)],
    });
    service.node.addDependency(this.providerAssociation);
    return service;
  }

  private createGroup(props: Ec2CapacityProps, securityGroup: ec2.ISecurityGroup) {
    // There is no update policy: each deployment resolves the machine image again, and replacing hosts would end calls.
    const group = new autoscaling.AutoScalingGroup(this, 'Hosts', {
      vpc: props.network.vpc,
      vpcSubnets: props.network.publicSubnets,
      launchTemplate: this.createLaunchTemplate(props, securityGroup),
      minCapacity: props.minTasks,
      // A deployment runs old and new nodes at the same time, each on a host of its own.
      maxCapacity: 2 * props.maxTasks,
      newInstancesProtectedFromScaleIn: props.terminationProtection,
      defaultInstanceWarmup: Duration.minutes(2),
      groupMetrics: [autoscaling.GroupMetrics.all()],
      notifications: [{ topic: props.notifications, scalingEvents: autoscaling.ScalingEvents.ALL }],
    });
    group.node.addDependency(routesOf(props.network, props.network.publicSubnets));
    return group;
  }

  private createLaunchTemplate(props: Ec2CapacityProps, securityGroup: ec2.ISecurityGroup) {
    const userData = ec2.UserData.forLinux();
    userData.addCommands(...networkBuffers);
    return new ec2.LaunchTemplate(this, 'Template', {
      instanceType: new ec2.InstanceType(props.instanceType),
      machineImage: ecs.EcsOptimizedImage.amazonLinux2023(
        this.cpuArchitecture === 'arm64' ? ecs.AmiHardwareType.ARM : ecs.AmiHardwareType.STANDARD,
      ),
      securityGroup,
      associatePublicIpAddress: true,
      requireImdsv2: true,
      // Containers share the host's network, so one hop is enough for all of them.
      httpPutResponseHopLimit: 1,
      detailedMonitoring: false,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: ec2.BlockDeviceVolume.ebs(30, {
            encrypted: true,
            volumeType: ec2.EbsDeviceVolumeType.GP3,
          }),
        },
      ],
      role: this.role,
      userData,
    });
  }

  private acknowledgeAgentRole(): void {
    const reason =
      'The ECS agent’s own actions, as the CDK grants them; those that know resources have a condition on this cluster.';
    Validations.of(this.role).acknowledge(
      { id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]', reason },
      { id: 'AwsSolutions::AwsSolutions-IAM5[Action::ecs:Submit*]', reason },
    );
  }
}

/** LiveKit asks for a receive buffer of 5 MB. With the kernel's 208 KB, video of many participants would drop. */
const networkBuffers = [
  'echo "net.core.rmem_max=16777216" > /etc/sysctl.d/60-livekit.conf',
  'echo "net.core.wmem_max=16777216" >> /etc/sysctl.d/60-livekit.conf',
  'sysctl --system',
];

/** The CDK creates the association while it synthesizes, when it knows all capacity providers. */
function associationOf(cluster: ecs.Cluster): IDependable {
  const association: IDependable = {};
  Dependable.implement(association, {
    get dependencyRoots() {
      return cluster.node
        .findAll()
        .filter((construct) => construct instanceof ecs.CfnClusterCapacityProviderAssociations);
    },
  });
  return association;
}

function architectureOf(instanceType: string): CpuArchitecture {
  const { architecture } = new ec2.InstanceType(instanceType);
  return architecture === ec2.InstanceArchitecture.ARM_64 ? 'arm64' : 'x86_64';
}

/** Number of vCPUs of an instance type, from its size. The small sizes of the burstable families have two as well. */
export function vCpusOf(instanceType: string): number {
  const [family = '', size = ''] = instanceType.split('.');
  const [, times, isXlarge] = /^(\d*)(xlarge)?/.exec(size) ?? [];
  if (isXlarge) return 4 * Number(times || 1);
  return size === 'medium' && !/^t\d/.test(family) ? 1 : 2;
}
