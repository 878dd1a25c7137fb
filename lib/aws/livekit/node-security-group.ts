import { Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import { liveKitPorts, turnPorts } from '../../../livekit/config/ports.ts';

export interface NodeSecurityGroupProps {
  readonly vpc: ec2.IVpc;

  /** The nodes relay media over UDP 3478 too. */
  readonly turn: boolean;
}

/**
 * Media from anywhere. The ports from which TURN relays stay closed: who answers a relay was sent to from there first,
 * and security groups let answers in.
 */
export function nodeSecurityGroup(scope: Construct, id: string, props: NodeSecurityGroupProps) {
  const group = new ec2.SecurityGroup(scope, id, {
    vpc: props.vpc,
    description: 'LiveKit nodes: media from anywhere, signalling from the load balancer',
    // Media goes to the addresses that clients name, on any port.
    allowAllOutbound: true,
  });
  const [first, last] = liveKitPorts.mediaUdp;
  const anywhere = ec2.Peer.anyIpv4();
  group.addIngressRule(anywhere, ec2.Port.udpRange(first, last), 'LiveKit media over UDP');
  group.addIngressRule(anywhere, ec2.Port.tcp(liveKitPorts.mediaTcp), 'LiveKit media over TCP');
  if (props.turn) group.addIngressRule(anywhere, ec2.Port.udp(turnPorts.udp), 'TURN over UDP, and STUN');
  Validations.of(group).acknowledge({
    id: 'AwsSolutions::AwsSolutions-EC23',
    reason: 'Media comes from wherever users are; LiveKit takes it from participants with a token alone.',
  });
  return group;
}
