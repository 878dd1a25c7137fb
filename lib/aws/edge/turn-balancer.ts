import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';
import type { NetworkPlacement } from '../network/network-placement.ts';
import { addDnsRecord, certificateFor, type DomainProps } from './certificate.ts';
import { logBucket } from './log-bucket.ts';

export interface TurnBalancerProps extends DomainProps {
  readonly network: NetworkPlacement;

  /** The load balancer can't be deleted until this is turned off. */
  readonly deletionProtection: boolean;

  /** What happens to the log of TLS handshakes when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * The customer's KMS key with which that log is encrypted.
   * @default - S3’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

export interface TurnRouteProps {
  /** Whether targets are instances, for host networking, or the addresses of tasks. */
  readonly targetType: elbv2.TargetType;

  /** Port on which the targets accept TURN without TLS. */
  readonly port: number;
}

/** Port of TURN over TLS. Every network lets it out, and LiveKit gives its clients no other port. */
const port = 443;

/** A network load balancer that terminates TLS for TURN, for clients in networks that let out nothing but HTTPS. */
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
      vpc: props.network.vpc,
      internetFacing: true,
      vpcSubnets: props.network.publicSubnets,
      securityGroups: [this.createSecurityGroup()],
      // There may be fewer nodes than zones: the address in each zone must lead to all nodes.
      crossZoneEnabled: true,
      deletionProtection: props.deletionProtection,
    });
    this.connections = this.resource.connections;
    const { removalPolicy, encryptionKey } = props;
    this.resource.logAccessLogs(logBucket(this, 'AccessLogs', { removalPolicy, encryptionKey }));
    addDnsRecord(this, props, new LoadBalancerTarget(this.resource));
  }

  /** Sends connections to the nodes, whose security group has to admit them. */
  route(target: elbv2.INetworkLoadBalancerTarget, route: TurnRouteProps): void {
    const group = new elbv2.NetworkTargetGroup(this, 'Targets', {
      vpc: this.props.network.vpc,
      targets: [target],
      targetType: route.targetType,
      port: route.port,
      protocol: elbv2.Protocol.TCP,
      deregistrationDelay: Duration.seconds(30),
      healthCheck: {
        protocol: elbv2.Protocol.TCP,
        // ECS replaces a task that fails this check, and its calls end. The check therefore allows minutes.
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
      vpc: this.props.network.vpc,
      description: 'TURN over TLS: in from anywhere, out to LiveKit',
      allowAllOutbound: false,
    });
    group.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(port), 'TURN over TLS');
    Validations.of(group).acknowledge({
      id: 'AwsSolutions::AwsSolutions-EC23',
      reason: 'Callers may have any address; TURN relays only for participants with credentials.',
    });
    return group;
  }
}
