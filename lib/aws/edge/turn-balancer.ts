import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';
import type { Place } from '../network/place.ts';
import { certificateFor, nameIn, type OwnName } from './certificate.ts';
import { logBucket } from './log-bucket.ts';

export interface TurnBalancerProps extends OwnName {
  readonly place: Place;

  /** Refuses to be deleted until it is turned off. */
  readonly deletionProtection: boolean;

  /** What becomes of the access log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * How long the log of TLS handshakes is kept.
   * @default Duration.days(30)
   */
  readonly accessLogRetention?: Duration;
}

export interface TurnTargets {
  readonly target: elbv2.INetworkLoadBalancerTarget;

  /** Instances, for host networking, or the addresses of tasks. */
  readonly targetType: elbv2.TargetType;

  /** Port on which they take TURN without TLS. */
  readonly port: number;
}

/** Where clients look for TURN over TLS: what every network lets out, and LiveKit tells them no other port. */
const port = 443;

/** A network load balancer that ends the TLS of TURN: the way into calls for networks that let only HTTPS out. */
export class TurnBalancer extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;
  readonly resource: elbv2.NetworkLoadBalancer;
  readonly domainName: string;
  private readonly props: TurnBalancerProps;

  constructor(scope: Construct, id: string, props: TurnBalancerProps) {
    super(scope, id);
    this.props = props;
    this.domainName = props.domainName;
    this.resource = new elbv2.NetworkLoadBalancer(this, 'Balancer', {
      vpc: props.place.vpc,
      internetFacing: true,
      vpcSubnets: props.place.publicSubnets,
      securityGroups: [this.createSecurityGroup()],
      // Each zone's address leads to all nodes: fewer nodes than zones would leave one without.
      crossZoneEnabled: true,
      deletionProtection: props.deletionProtection,
    });
    this.connections = this.resource.connections;
    this.resource.logAccessLogs(
      logBucket(this, 'AccessLogs', {
        retention: props.accessLogRetention,
        removalPolicy: props.removalPolicy,
      }),
    );
    nameIn(this, props, new LoadBalancerTarget(this.resource));
  }

  /** Sends to the nodes what arrives. Their own group has to let it in. */
  route({ target, targetType, port: targetPort }: TurnTargets): void {
    const group = new elbv2.NetworkTargetGroup(this, 'Targets', {
      vpc: this.props.place.vpc,
      targets: [target],
      targetType,
      port: targetPort,
      protocol: elbv2.Protocol.TCP,
      deregistrationDelay: Duration.seconds(30),
      healthCheck: {
        protocol: elbv2.Protocol.TCP,
        // ECS replaces a task whose check fails, with its calls: minutes of patience.
        interval: Duration.seconds(30),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 10,
      },
    });
    this.resource.addListener('Tls', {
      port,
      protocol: elbv2.Protocol.TLS,
      certificates: [certificateFor(this, this.props)],
      sslPolicy: elbv2.SslPolicy.TLS13_12_RES_PQ,
      defaultTargetGroups: [group],
    });
  }

  private createSecurityGroup(): ec2.SecurityGroup {
    const group = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: this.props.place.vpc,
      description: 'TURN over TLS: in from anywhere, out to LiveKit',
      allowAllOutbound: false,
    });
    group.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(port), 'TURN over TLS');
    Validations.of(group).acknowledge({
      id: 'AwsSolutions::AwsSolutions-EC23',
      reason: 'Callers come from wherever users are; TURN relays for participants with credentials alone.',
    });
    return group;
  }
}
