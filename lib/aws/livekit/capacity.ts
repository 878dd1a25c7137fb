import { type Duration, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { Construct } from 'constructs';
import { liveKitPorts, turnPorts } from '../../../livekit/config/ports.ts';
import type { CpuArchitecture } from '../ecs/image.ts';
import type { NetworkPlacement } from '../network/network-placement.ts';

/** What LiveKit's nodes run on: EC2 hosts of their own, or Fargate. */
export interface LiveKitCapacity extends ec2.IConnectable {
  readonly cpuArchitecture: CpuArchitecture;

  /** Where a node's sidecar learns the public address: the host's metadata service, or AWS's checkip page. */
  readonly addressSource: 'imds' | 'checkip';

  /** Whether a load balancer's targets are hosts or the addresses of tasks. */
  readonly targetType: elbv2.TargetType;

  /**
   * The longest time between SIGTERM and SIGKILL that the capacity allows.
   * @default - no limit
   */
  readonly maxStopTimeout?: Duration;

  /** Resources of a node's container: CPU in units of 1/1024 vCPU, and reserved memory. */
  readonly nodeSize: { readonly cpu: number; readonly memoryReservationMiB: number };

  /** An empty task definition for a node. */
  defineTask(scope: Construct, id: string): ecs.TaskDefinition;

  /** Runs the nodes' tasks. On a host there is at most one, because the ports of two would clash. */
  createService(scope: Construct, id: string, props: NodeServiceProps): ecs.BaseService;
}

export interface NodeServiceProps extends ecs.BaseServiceOptions {
  readonly taskDefinition: ecs.TaskDefinition;
  readonly availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing;
}

export interface NodeSecurityGroupProps {
  readonly network: NetworkPlacement;

  /** The nodes relay media (TURN), also over UDP 3478. */
  readonly turn: boolean;
}

/**
 * Admits media from anywhere. The ports from which TURN relays media stay closed: everything that arrives there answers
 * a packet that was sent from there, and security groups admit replies.
 */
export function nodeSecurityGroup(scope: Construct, id: string, { network, turn }: NodeSecurityGroupProps) {
  const group = new ec2.SecurityGroup(scope, id, {
    vpc: network.vpc,
    description: 'LiveKit nodes: media from anywhere, signalling from the load balancer',
    // Media is sent to the addresses and ports that clients name.
    allowAllOutbound: true,
  });
  const [first, last] = liveKitPorts.mediaUdp;
  const anywhere = ec2.Peer.anyIpv4();
  group.addIngressRule(anywhere, ec2.Port.udpRange(first, last), 'LiveKit media over UDP');
  group.addIngressRule(anywhere, ec2.Port.tcp(liveKitPorts.mediaTcp), 'LiveKit media over TCP');
  if (turn) group.addIngressRule(anywhere, ec2.Port.udp(turnPorts.udp), 'TURN over UDP, and STUN');
  Validations.of(group).acknowledge({
    id: 'AwsSolutions::AwsSolutions-EC23',
    reason: 'Participants may have any address; LiveKit accepts media only from those with a token.',
  });
  return group;
}
