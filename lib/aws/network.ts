import { RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface NetworkProps {
  /** Zones to spread over, by name or as tokens; two at least, which a load balancer needs. */
  readonly availabilityZones: string[];

  /** NAT gateways for the private subnets. */
  readonly natGateways: number;

  /**
   * How long rejected connections stay in the flow log.
   * @default RetentionDays.ONE_MONTH
   */
  readonly flowLogRetention?: logs.RetentionDays;
}

/**
 * The VPC: public subnets for load balancers, private ones with a way out for tasks, isolated ones for caches.
 */
export class Network extends Construct {
  readonly vpc: ec2.Vpc;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      availabilityZones: props.availabilityZones,
      natGateways: props.natGateways,
      // Closing the default group takes a Lambda function; nothing here uses that group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'Public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'Private', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 },
        { name: 'Isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      // Free, and image layers, which come from S3, then cost nothing at the NAT gateway.
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    });
    this.logRejections(props.flowLogRetention ?? logs.RetentionDays.ONE_MONTH);
  }

  private logRejections(retention: logs.RetentionDays): void {
    const logGroup = new logs.LogGroup(this, 'FlowLogs', {
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.vpc.addFlowLog('Rejections', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup),
      // What is accepted is in the load balancer's log; what is refused is seen nowhere else.
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
  }
}
