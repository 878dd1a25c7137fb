import type { RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Place } from './place.ts';

export interface NetworkProps {
  /** Zones to spread over, by name or as tokens; two at least, which a load balancer needs, and four at most. */
  readonly availabilityZones: string[];

  /** NAT gateways for the private subnets; with none, tasks stand in the public ones. */
  readonly natGateways: number;

  /** How long rejected connections stay in the flow log. */
  readonly flowLogRetention: logs.RetentionDays;

  /** What becomes of the flow log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;
}

/** Zones that addresses are kept free for, so that one more zone later moves no subnet. */
const mostZones = 4;

/**
 * A VPC of the stack's own: public subnets for load balancers, isolated ones for caches, and private ones with a
 * way out for tasks where there are NAT gateways.
 */
export class Network extends Construct implements Place {
  readonly vpc: ec2.Vpc;
  readonly publicSubnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PUBLIC };
  readonly taskSubnets: ec2.SubnetSelection;
  readonly tasksHavePublicAddresses: boolean;
  readonly isolatedSubnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    this.tasksHavePublicAddresses = props.natGateways === 0;
    this.taskSubnets = this.tasksHavePublicAddresses
      ? this.publicSubnets
      : { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS };
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      availabilityZones: props.availabilityZones,
      reservedAzs: Math.max(0, mostZones - props.availabilityZones.length),
      natGateways: props.natGateways,
      // Closing the default group takes a Lambda function; nothing here uses that group.
      restrictDefaultSecurityGroup: false,
      // The private ones come last: those that a NAT gateway brings later leave the others where they are.
      subnetConfiguration: [
        { name: 'Public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'Isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
        ...(this.tasksHavePublicAddresses
          ? []
          : [{ name: 'Private', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 }]),
      ],
      // Free, and image layers, which come from S3, then cost nothing at the NAT gateway.
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    });
    this.logRejections(props);
  }

  private logRejections({ flowLogRetention, removalPolicy }: NetworkProps): void {
    const logGroup = new logs.LogGroup(this, 'FlowLogs', { retention: flowLogRetention, removalPolicy });
    this.vpc.addFlowLog('Rejections', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup),
      // What is accepted is in the load balancer's log; what is refused is seen nowhere else.
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
  }
}
