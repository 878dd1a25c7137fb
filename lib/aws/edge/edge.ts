import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { LoadBalancer, RouteProps } from './load-balancer.ts';
import type { WebAcl } from './web-acl.ts';

/**
 * The address of the deployment: a public load balancer with a domain, or CloudFront in front of an internal load
 * balancer.
 */
export interface Edge extends ec2.IConnectable {
  readonly balancer: LoadBalancer;

  /**
   * The load balancer through which parts of the deployment reach each other, by HTTP on port 80 and without leaving the
   * VPC. Behind CloudFront it is `balancer`. Undefined: they use the public address.
   */
  readonly internalBalancer: LoadBalancer | undefined;

  /** The stack's own web ACL. Undefined: there is none, or it has another owner, who watches it. */
  readonly webAcl: WebAcl | undefined;

  /** Where clients connect, `https://…`. */
  readonly url: string;

  /** The same address for LiveKit's clients, `wss://…`. */
  readonly webSocketUrl: string;

  /** The name to which the DNS record of a domain of one's own leads. */
  readonly dnsTarget: string;

  /** Number of proxies on the way to a service that write `X-Forwarded-For`. */
  readonly proxyHops: number;

  /** Services see the host name that the client asked for. Otherwise they can't tell that a page is their own. */
  readonly passesHost: boolean;
}

/** The port of the internal load balancer. */
export const internalPort = 80;

/** Address at which parts of the deployment reach each other: inside the VPC if there is a way, else as clients do. */
export function addressWithin({ internalBalancer, url, webSocketUrl }: Edge) {
  if (!internalBalancer) return { url, webSocketUrl };
  const name = internalBalancer.resource.loadBalancerDnsName;
  return { url: `http://${name}`, webSocketUrl: `ws://${name}` };
}

/**
 * Sends requests to a service, those of clients and those from inside.
 *
 * @returns the target group of clients
 * @throws Error if the route is for host names that services do not see
 */
export function routeFrom(
  { balancer, internalBalancer, passesHost }: Edge,
  target: elbv2.IApplicationLoadBalancerTarget,
  route: RouteProps,
): elbv2.ApplicationTargetGroup {
  if (route.hosts && !passesHost)
    throw new Error(
      `\`hosts\` must be left out behind CloudFront, which replaces the name that clients ask for, got: ${route.hosts.join(', ')}; take \`paths\`, or a \`domainName\` without CloudFront`,
    );
  if (internalBalancer && internalBalancer !== balancer) internalBalancer.route(target, route);
  return balancer.route(target, route);
}
