import { Validations } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { addDnsRecord, certificateFor, type DomainProps } from './certificate.ts';
import { type Edge, internalPort } from './edge.ts';
import { LoadBalancer, type LoadBalancerProps } from './load-balancer.ts';
import { WebAcl } from './web-acl.ts';

export interface PublicEdgeProps extends LoadBalancerProps, DomainProps {
  /**
   * Requests that one address may send in five minutes.
   * @default - no web ACL
   */
  readonly webAclRequestsPerAddress?: number;

  /**
   * An internal load balancer besides, through which parts of the deployment reach each other. They don't depend on the
   * domain's DNS record then, and pass neither the web ACL nor a NAT gateway.
   * @default false
   */
  readonly internalPath?: boolean;
}

/** A public load balancer with a domain name: TLS 1.2 and newer, HTTP redirected to HTTPS. */
export class PublicEdge extends Construct implements Edge {
  readonly balancer: LoadBalancer;
  readonly internalBalancer: LoadBalancer | undefined;
  readonly connections: ec2.Connections;
  readonly url: string;
  readonly webSocketUrl: string;
  readonly webAcl: WebAcl | undefined;
  readonly dnsTarget: string;
  readonly proxyHops = 1;
  readonly passesHost = true;

  constructor(scope: Construct, id: string, props: PublicEdgeProps) {
    super(scope, id);
    this.balancer = new LoadBalancer(this, 'Balancer', 'Public', props);
    this.connections = this.balancer.connections;
    this.internalBalancer = props.internalPath ? this.createInternalBalancer(props) : undefined;
    this.dnsTarget = this.balancer.resource.loadBalancerDnsName;
    this.url = `https://${props.domainName}`;
    this.webSocketUrl = `wss://${props.domainName}`;
    this.listen(certificateFor(this, props));
    Validations.of(this.balancer.resource).acknowledge({
      id: 'AwsSolutions::AwsSolutions-EC23',
      reason:
        'The load balancer is the public address of the deployment; the services behind it admit only it.',
    });
    addDnsRecord(this, props, new LoadBalancerTarget(this.balancer.resource));
    this.webAcl = props.webAclRequestsPerAddress ? this.addWebAcl(props.webAclRequestsPerAddress) : undefined;
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

  private createInternalBalancer(props: LoadBalancerProps): LoadBalancer {
    const internal = new LoadBalancer(this, 'Internal', 'Private', props);
    const { HTTP } = elbv2.ApplicationProtocol;
    internal.serveOn(internal.listen('Http', { port: internalPort, protocol: HTTP, open: false }));
    return internal;
  }

  private addWebAcl(requestsPerAddress: number): WebAcl {
    const acl = new WebAcl(this, 'WebAcl', { scope: 'REGIONAL', requestsPerAddress });
    new wafv2.CfnWebACLAssociation(this, 'WebAclAssociation', {
      webAclArn: acl.arn,
      resourceArn: this.balancer.resource.loadBalancerArn,
    });
    return acl;
  }
}
