import { Duration, Validations } from 'aws-cdk-lib';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct, Dependable, type IDependable } from 'constructs';
import type { CpuArchitecture } from '../cluster/image.ts';
import type { Place } from '../network/place.ts';
import type { LiveKitCapacity, NodeServiceProps } from './capacity.ts';
import { architectureOf, vCpusOf } from './host-size.ts';
import { nodeSecurityGroup } from './node-security-group.ts';

export interface Ec2CapacityProps {
  readonly cluster: ecs.Cluster;
  readonly place: Place;

  /** Hosts; each takes one node, whose ports would clash with another's. */
  readonly nodes: number;

  /**
   * Hosts at most in use; a deployment takes twice as many.
   * @default - `nodes`
   */
  readonly maxNodes?: number;

  /** EC2 instance type, such as `c7g.xlarge`. */
  readonly instanceType: string;

  /** Keeps the group from ending a host that runs a node. In dev it would keep `cdk destroy` from ending too. */
  readonly terminationProtection: boolean;

  /** The nodes relay media (TURN). */
  readonly turn: boolean;

  /**
   * Where the group tells of hosts that come and go.
   * @default - nowhere
   */
  readonly notifications?: sns.ITopic;
}

/** Left to the host, its agent and the sidecar, in units of 1/1024 vCPU. */
const hostCpu = 256;

/**
 * EC2 hosts for LiveKit, one node each: in public subnets with host networking, as media goes straight between them
 * and the browsers, and with buffers for it. Nothing bounds how long the calls of a node that ends may take.
 */
export class Ec2Capacity extends Construct implements LiveKitCapacity {
  readonly connections: ec2.Connections;
  readonly cpuArchitecture: CpuArchitecture;
  readonly addressSource = 'imds';
  readonly targetType = elbv2.TargetType.INSTANCE;
  readonly nodeSize: LiveKitCapacity['nodeSize'];
  readonly capacityProvider: ecs.AsgCapacityProvider;

  private readonly vpc: ec2.IVpc;
  private readonly role: iam.Role;
  /** What a service depends on; without it creation races, and destroying fails "in use". */
  private readonly ready: IDependable;

  constructor(scope: Construct, id: string, props: Ec2CapacityProps) {
    super(scope, id);
    if (!Number.isInteger(props.nodes) || props.nodes < 1)
      throw new Error(`\`nodes\` must be a whole number from 1, got: ${props.nodes}`);
    this.vpc = props.place.vpc;
    this.cpuArchitecture = architectureOf(props.instanceType);
    this.nodeSize = {
      cpu: 1024 * vCpusOf(props.instanceType) - hostCpu,
      memoryReservationMiB: 1024,
    };
    // Containers share the host's network and could ask for this role: it holds the agent's permissions and no more.
    this.role = new iam.Role(this, 'HostRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const securityGroup = nodeSecurityGroup(this, 'SecurityGroup', { vpc: this.vpc, turn: props.turn });
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
    this.ready = associationOf(props.cluster);
    this.acknowledgeAgentRole();
  }

  defineTask(scope: Construct, id: string): ecs.Ec2TaskDefinition {
    return new ecs.Ec2TaskDefinition(scope, id, { networkMode: ecs.NetworkMode.HOST });
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
    service.node.addDependency(this.ready);
    return service;
  }

  private createGroup(props: Ec2CapacityProps, securityGroup: ec2.ISecurityGroup) {
    // No update policy: the image parameter is read again at each deployment, and replacing hosts would cut calls.
    return new autoscaling.AutoScalingGroup(this, 'Hosts', {
      vpc: this.vpc,
      vpcSubnets: props.place.publicSubnets,
      launchTemplate: this.createLaunchTemplate(props, securityGroup),
      minCapacity: props.nodes,
      // A deployment runs old and new nodes side by side, each on a host of its own.
      maxCapacity: 2 * Math.max(props.nodes, props.maxNodes ?? 0),
      newInstancesProtectedFromScaleIn: props.terminationProtection,
      defaultInstanceWarmup: Duration.minutes(2),
      groupMetrics: [autoscaling.GroupMetrics.all()],
      ...(props.notifications && {
        notifications: [{ topic: props.notifications, scalingEvents: autoscaling.ScalingEvents.ALL }],
      }),
    });
  }

  private createLaunchTemplate(props: Ec2CapacityProps, securityGroup: ec2.ISecurityGroup) {
    const instanceType = new ec2.InstanceType(props.instanceType);
    const userData = ec2.UserData.forLinux();
    userData.addCommands(...networkBuffers);
    return new ec2.LaunchTemplate(this, 'Template', {
      instanceType,
      machineImage: ecs.EcsOptimizedImage.amazonLinux2023(
        instanceType.architecture === ec2.InstanceArchitecture.ARM_64
          ? ecs.AmiHardwareType.ARM
          : ecs.AmiHardwareType.STANDARD,
      ),
      securityGroup,
      associatePublicIpAddress: true,
      requireImdsv2: true,
      // Containers share the host's network, so one hop is all that anything needs.
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
      'The ECS agent’s own actions, as the CDK grants them: those that know resources carry a condition on this cluster.';
    Validations.of(this.role).acknowledge(
      { id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]', reason },
      { id: 'AwsSolutions::AwsSolutions-IAM5[Action::ecs:Submit*]', reason },
    );
  }
}

/** LiveKit asks for 5 MB of receive buffer or more; the kernel gives 208 KB, and video of many participants drops. */
const networkBuffers = [
  'echo "net.core.rmem_max=16777216" > /etc/sysctl.d/60-livekit.conf',
  'echo "net.core.wmem_max=16777216" >> /etc/sysctl.d/60-livekit.conf',
  'sysctl --system',
];

/** The CDK makes it while it synthesizes, when all providers are known. */
function associationOf(cluster: ecs.Cluster): IDependable {
  const ready: IDependable = {};
  Dependable.implement(ready, {
    get dependencyRoots() {
      return cluster.node
        .findAll()
        .filter((construct) => construct instanceof ecs.CfnClusterCapacityProviderAssociations);
    },
  });
  return ready;
}
