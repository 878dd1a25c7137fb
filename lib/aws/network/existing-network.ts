import { Annotations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { NetworkPlacement } from './network-placement.ts';

export interface ExistingNetworkProps {
  readonly vpcId: string;

  /** Names of the availability zones. Each list of subnets has one subnet for each zone, in this order. */
  readonly availabilityZones: readonly string[];

  /**
   * Subnets with a route to an internet gateway.
   * @default - none; then the stack can have no public load balancer and no media hosts
   */
  readonly publicSubnetIds?: readonly string[];

  /** Subnets for tasks, which reach AWS through a NAT gateway or VPC endpoints. */
  readonly privateSubnetIds: readonly string[];

  /**
   * Subnets for the cache and the internal load balancer.
   * @default - `privateSubnetIds`
   */
  readonly isolatedSubnetIds?: readonly string[];
}

/** A VPC that exists already. It is named by its attributes, so nothing is looked up; its owner keeps its flow logs. */
export class ExistingNetwork extends Construct implements NetworkPlacement {
  readonly vpc: ec2.IVpc;
  readonly publicSubnets: ec2.SubnetSelection;
  readonly taskSubnets: ec2.SubnetSelection;
  readonly tasksHavePublicAddresses = false;
  readonly participants: NetworkPlacement['participants'];
  readonly isolatedSubnets: ec2.SubnetSelection;

  constructor(scope: Construct, id: string, props: ExistingNetworkProps) {
    super(scope, id);
    // The CDK warns about each subnet that is imported without its route table. The stack adds no routes.
    Annotations.of(this).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId');
    this.vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: props.vpcId,
      availabilityZones: [...props.availabilityZones],
    });
    this.publicSubnets = this.importSubnets('Public', props.availabilityZones, props.publicSubnetIds ?? []);
    this.taskSubnets = this.importSubnets('Private', props.availabilityZones, props.privateSubnetIds);
    this.participants = { subnets: this.taskSubnets, havePublicAddresses: false };
    this.isolatedSubnets = props.isolatedSubnetIds
      ? this.importSubnets('Isolated', props.availabilityZones, props.isolatedSubnetIds)
      : this.taskSubnets;
  }

  private importSubnets(kind: string, zones: readonly string[], ids: readonly string[]): ec2.SubnetSelection {
    const subnets = ids.map((subnetId, index) =>
      ec2.Subnet.fromSubnetAttributes(this, `${kind}${index + 1}`, {
        subnetId,
        availabilityZone: zones[index] as string,
      }),
    );
    return { subnets };
  }
}
