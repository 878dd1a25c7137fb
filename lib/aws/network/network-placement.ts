import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { IDependable } from 'constructs';

/** A VPC, new or existing, and the subnets in which each kind of resource is placed. */
export interface NetworkPlacement {
  readonly vpc: ec2.IVpc;

  /** Subnets for public load balancers and media hosts; empty in an existing VPC that named none. */
  readonly publicSubnets: ec2.SubnetSelection;

  /** Subnets for tasks: they reach AWS from there, and security groups alone decide who reaches them. */
  readonly taskSubnets: ec2.SubnetSelection;

  /** There is no NAT gateway, so tasks need public addresses of their own to reach AWS. */
  readonly tasksHavePublicAddresses: boolean;

  /**
   * Where tasks are placed that take part in calls. Their media goes to public addresses of LiveKit's nodes, so that a
   * NAT gateway would charge for each GB of it: in a new VPC they have public addresses of their own, and admit nobody.
   * In an existing VPC they are placed as other tasks are, for its owner decides which way traffic leaves it.
   */
  readonly participants: { readonly subnets: ec2.SubnetSelection; readonly havePublicAddresses: boolean };

  /** Subnets without a route to the internet, for the cache and an internal load balancer. */
  readonly isolatedSubnets: ec2.SubnetSelection;
}

/**
 * The routes by which tasks or hosts in these subnets reach AWS. What starts before its routes exist can't read its image
 * and its secrets, and a first deployment, or one that adds NAT gateways, fails.
 */
export function routesOf({ vpc }: NetworkPlacement, subnets: ec2.SubnetSelection): IDependable {
  return vpc.selectSubnets(subnets).internetConnectivityEstablished;
}
