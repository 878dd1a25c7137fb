import type * as ec2 from 'aws-cdk-lib/aws-ec2';

/** A VPC, new or existing, and where in it things stand. */
export interface Place {
  readonly vpc: ec2.IVpc;

  /** For public load balancers and media hosts; empty in an existing VPC that named none. */
  readonly publicSubnets: ec2.SubnetSelection;

  /** For tasks: a way out to AWS, and in by security groups alone. */
  readonly taskSubnets: ec2.SubnetSelection;

  /** Tasks have no NAT gateway, and so reach AWS from addresses of their own. */
  readonly tasksHavePublicAddresses: boolean;

  /** For what needs no way out: the cache, an internal load balancer. */
  readonly isolatedSubnets: ec2.SubnetSelection;
}
