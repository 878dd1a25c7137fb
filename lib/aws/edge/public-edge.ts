import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { certificateFor, nameIn, type OwnName } from './certificate.ts';
import type { Edge } from './edge.ts';
import { acknowledgeOpenPorts, LoadBalancer, type LoadBalancerProps } from './load-balancer.ts';
import { WebAcl } from './web-acl.ts';

export interface PublicEdgeProps extends LoadBalancerProps, OwnName {
  /**
   * Requests that one address may send in five minutes.
   * @default - no web ACL
   */
  readonly webAclRequestsPerAddress?: number;
}

/** A public load balancer under a name of one's own: TLS 1.2 and newer, HTTP redirected. */
export class PublicEdge extends Construct implements Edge {
  readonly balancer: LoadBalancer;
  readonly connections: ec2.Connections;
  readonly url: string;
  readonly proxyHops = 1;
  readonly passesHost = true;

  constructor(scope: Construct, id: string, props: PublicEdgeProps) {
    super(scope, id);
    this.balancer = new LoadBalancer(this, 'Balancer', 'Public', props);
    this.connections = this.balancer.connections;
    this.url = `https://${props.domainName}`;
    this.listen(certificateFor(this, props));
    acknowledgeOpenPorts(this.balancer.resource);
    nameIn(this, props, new LoadBalancerTarget(this.balancer.resource));
    if (props.webAclRequestsPerAddress) this.guard(props.webAclRequestsPerAddress);
  }

  private listen(certificate: acm.ICertificate): void {
    this.balancer.listen('Http', {
      port: 80,
      protocol: elbv2.ApplicationProtocol.HTTP,
      open: true,
      defaultAction: elbv2.ListenerAction.redirect({ protocol: 'HTTPS', port: '443', permanent: true }),
    });
    const https = this.balancer.listen('Https', {
      port: 443,
      protocol: elbv2.ApplicationProtocol.HTTPS,
      certificates: [certificate],
      sslPolicy: elbv2.SslPolicy.TLS13_12_RES_PQ,
      open: true,
    });
    this.balancer.serveOn(https);
  }

  private guard(requestsPerAddress: number): void {
    const acl = new WebAcl(this, 'WebAcl', { scope: 'REGIONAL', requestsPerAddress });
    new wafv2.CfnWebACLAssociation(this, 'WebAclAssociation', {
      webAclArn: acl.arn,
      resourceArn: this.balancer.resource.loadBalancerArn,
    });
  }
}
