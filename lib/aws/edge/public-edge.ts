import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as route53 from 'aws-cdk-lib/aws-route53';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import type { Edge } from './edge.ts';
import { acknowledgeOpenPorts, LoadBalancer, type LoadBalancerProps } from './load-balancer.ts';
import { WebAcl } from './web-acl.ts';

export interface PublicEdgeProps extends LoadBalancerProps {
  /** Name that clients use. */
  readonly domainName: string;

  /**
   * Zone in which the certificate is validated and the name is set.
   * @default - `certificateArn`, and a DNS record that is the caller's
   */
  readonly hostedZone?: route53.IHostedZone;

  /**
   * A certificate of the load balancer's region.
   * @default - one that is validated in `hostedZone`
   */
  readonly certificateArn?: string;

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
    this.listen(this.certificateFor(props));
    acknowledgeOpenPorts(this.balancer.resource);
    if (props.hostedZone) this.nameIt(props.domainName, props.hostedZone);
    if (props.webAclRequestsPerAddress) this.guard(props.webAclRequestsPerAddress);
  }

  private certificateFor({ domainName, hostedZone, certificateArn }: PublicEdgeProps): acm.ICertificate {
    if (certificateArn) return acm.Certificate.fromCertificateArn(this, 'Certificate', certificateArn);
    if (!hostedZone)
      throw new Error(
        `\`domainName\` must stand beside \`hostedZone\` or \`certificateArn\`, got: ${domainName}`,
      );
    return new acm.Certificate(this, 'ValidatedCertificate', {
      domainName,
      validation: acm.CertificateValidation.fromDns(hostedZone),
    });
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

  private nameIt(domainName: string, zone: route53.IHostedZone): void {
    const target = route53.RecordTarget.fromAlias(new LoadBalancerTarget(this.balancer.resource));
    // The dot keeps the CDK from taking the name for one relative to the zone.
    new route53.ARecord(this, 'Name', { zone, target, recordName: `${domainName}.` });
  }

  private guard(requestsPerAddress: number): void {
    const acl = new WebAcl(this, 'WebAcl', { scope: 'REGIONAL', requestsPerAddress });
    new wafv2.CfnWebACLAssociation(this, 'WebAclAssociation', {
      webAclArn: acl.arn,
      resourceArn: this.balancer.resource.loadBalancerArn,
    });
  }
}
