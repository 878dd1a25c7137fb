import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { Place } from './place.ts';

export interface ExistingNetworkProps {
  readonly vpcId: string;

  /** Names of the zones. Each list of subnets holds one for each zone, in this order. */
  readonly availabilityZones: readonly string[];

  /**
   * Subnets with a route to an internet gateway.
   * @default - none: no public load balancer, no media hosts
   */
  readonly publicSubnetIds?: readonly string[];

  /** Subnets from which tasks reach AWS, through a NAT gateway or endpoints. */
  readonly privateSubnetIds: readonly string[];

  /**
   * Subnets for the cache and an internal load balancer.
   * @default - `privateSubnetIds`
   */
  readonly isolatedSubnetIds?: readonly string[];
}

/** A VPC that is there already, by its attributes: nothing is looked up, its flow logs are its owner's. */
export class ExistingNetwork extends Construct implements Place {
  readonly vpc: ec2.IVpc;
  readonly publicSubnets: ec2.SubnetSelection;
  readonly taskSubnets: ec2.SubnetSelection;
  readonly tasksHavePublicAddresses = false;
  readonly isolatedSubnets: ec2.SubnetSelection;

  constructor(scope: Construct, id: string, props: ExistingNetworkProps) {
    super(scope, id);
    this.vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: props.vpcId,
      availabilityZones: [...props.availabilityZones],
    });
    this.publicSubnets = this.named('Public', props.availabilityZones, props.publicSubnetIds ?? []);
    this.taskSubnets = this.named('Private', props.availabilityZones, props.privateSubnetIds);
    this.isolatedSubnets = props.isolatedSubnetIds
      ? this.named('Isolated', props.availabilityZones, props.isolatedSubnetIds)
      : this.taskSubnets;
  }

  private named(kind: string, zones: readonly string[], ids: readonly string[]): ec2.SubnetSelection {
    const subnets = ids.map((subnetId, index) =>
      ec2.Subnet.fromSubnetAttributes(this, `${kind}${index + 1}`, {
        subnetId,
        availabilityZone: zones[index] as string,
      }),
    );
    return { subnets };
  }
}
