import type { RemovalPolicy } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { NetworkPlacement } from './network-placement.ts';

export interface NetworkProps {
  /**
   * Availability zones, by name or as tokens. A load balancer needs two; the address plan has room for four.
   */
  readonly availabilityZones: string[];

  /** Number of NAT gateways for the private subnets. With 0, tasks are placed in the public subnets. */
  readonly natGateways: number;

  /**
   * AWS's services that get an interface endpoint (PrivateLink), such as `logs`: what tasks send there passes neither a
   * NAT gateway nor the internet.
   * @default - none
   */
  readonly endpoints?: readonly string[];

  /** How long the flow log keeps rejected connections. */
  readonly logRetention: logs.RetentionDays;

  /** What happens to the flow log when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * The customer's KMS key with which the flow log is encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

export type NatMetric =
  /** Connections for which a gateway had no port left. */
  'ErrorPortAllocation' | 'BytesOutToDestination' | 'BytesInFromDestination';

const addressRange = '10.0.0.0/16';

/** The address plan reserves blocks for this many zones, so that adding a zone later moves no subnet. */
const plannedZones = 4;

/**
 * A VPC that the stack creates: public subnets for load balancers, isolated subnets for caches, and, if there are NAT
 * gateways, private subnets for tasks.
 */
export class Network extends Construct implements NetworkPlacement {
  readonly vpc: ec2.Vpc;
  readonly publicSubnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PUBLIC };
  readonly taskSubnets: ec2.SubnetSelection;
  readonly tasksHavePublicAddresses: boolean;
  readonly participants = { subnets: this.publicSubnets, havePublicAddresses: true };
  readonly isolatedSubnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };
  private readonly natProvider = ec2.NatProvider.gateway();

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    this.tasksHavePublicAddresses = props.natGateways === 0;
    this.taskSubnets = this.tasksHavePublicAddresses
      ? this.publicSubnets
      : { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS };
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(addressRange),
      availabilityZones: props.availabilityZones,
      reservedAzs: Math.max(0, plannedZones - props.availabilityZones.length),
      natGateways: props.natGateways,
      natGatewayProvider: this.natProvider,
      // Closing the default security group takes a Lambda function, and nothing here uses that group.
      restrictDefaultSecurityGroup: false,
      // The private subnets come last: if NAT gateways are added later, the other subnets keep their addresses.
      subnetConfiguration: [
        { name: 'Public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'Isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
        ...(this.tasksHavePublicAddresses
          ? []
          : [{ name: 'Private', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 }]),
      ],
      // The endpoint is free. Image layers come from S3, and without it they would be charged at the NAT gateway.
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    });
    this.logRejectedTraffic(props);
    this.addEndpoints(props.endpoints ?? []);
  }

  private addEndpoints(services: readonly string[]): void {
    if (services.length === 0) return;
    const group = new ec2.SecurityGroup(this, 'EndpointSecurityGroup', {
      vpc: this.vpc,
      description: 'Interface endpoints of AWS: in from the VPC, out to nobody',
      allowAllOutbound: false,
    });
    // The whole VPC, not the services' groups: a rule for each would come after its service's first task.
    group.addIngressRule(ec2.Peer.ipv4(addressRange), ec2.Port.tcp(443), 'AWS APIs over HTTPS');
    for (const name of services)
      this.vpc.addInterfaceEndpoint(`${name}-endpoint`, {
        service: new ec2.InterfaceVpcEndpointAwsService(name),
        subnets: this.isolatedSubnets,
        securityGroups: [group],
        open: false,
      });
  }

  /**
   * Of all NAT gateways together. Undefined if there is none.
   *
   * @param name as in CloudWatch's namespace AWS/NATGateway
   */
  metricOfNatGateways(name: NatMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric | undefined {
    const gateways = this.tasksHavePublicAddresses ? [] : this.natProvider.configuredGateways;
    if (gateways.length === 0) return undefined;
    const metrics = Object.fromEntries(
      gateways.map(({ gatewayId }, index) => [
        // A graph may show several, and takes each id once.
        `${name.charAt(0).toLowerCase()}${name.slice(1)}${index + 1}`,
        new cloudwatch.Metric({
          namespace: 'AWS/NATGateway',
          metricName: name,
          dimensionsMap: { NatGatewayId: gatewayId },
          statistic: 'Sum',
          ...props,
        }),
      ]),
    );
    return new cloudwatch.MathExpression({
      expression: Object.keys(metrics)
        .map((id) => `FILL(${id}, 0)`)
        .join(' + '),
      label: name,
      period: props?.period,
      usingMetrics: metrics,
    });
  }

  private logRejectedTraffic({ logRetention, removalPolicy, encryptionKey }: NetworkProps): void {
    const logGroup = new logs.LogGroup(this, 'FlowLogs', {
      retention: logRetention,
      removalPolicy,
      encryptionKey,
    });
    this.vpc.addFlowLog('Rejections', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup),
      // The load balancer logs what is accepted; rejected connections show up nowhere else.
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
  }
}
