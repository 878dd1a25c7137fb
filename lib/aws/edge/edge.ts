import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { LoadBalancer } from './load-balancer.ts';

/** The address of the deployment: a public load balancer with a domain, or CloudFront before an internal one. */
export interface Edge extends ec2.IConnectable {
  readonly balancer: LoadBalancer;

  /** Where clients connect. */
  readonly url: string;

  /** Proxies that write `X-Forwarded-For` on the way to a service. */
  readonly proxyHops: number;

  /** Services see the name that clients asked for; where not, they can't tell that a page is their own. */
  readonly passesHost: boolean;
}
