import { Annotations, Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { VpcOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { CloudFrontTarget } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';
import { physicalName } from '../account/physical-name.ts';
import { addDnsRecord, certificateFor, type DomainProps } from './certificate.ts';
import { type Edge, internalPort } from './edge.ts';
import { LoadBalancer, type LoadBalancerProps } from './load-balancer.ts';
import { logBucket } from './log-bucket.ts';
import { WebAcl } from './web-acl.ts';

export interface CloudFrontEdgeProps extends LoadBalancerProps {
  /** Id of the region's prefix list of the addresses from which CloudFront connects to origins. */
  readonly prefixListId: string;

  /**
   * Requests that one address may send in five minutes.
   * @default - no web ACL
   */
  readonly webAclRequestsPerAddress?: number;

  /**
   * A web ACL of scope CLOUDFRONT that exists, for stacks outside us-east-1.
   * @default - in us-east-1, a web ACL of the stack's own
   */
  readonly webAclArn?: string;

  /**
   * The customer's KMS key with which CloudFront’s access log is encrypted.
   * @default - S3’s own key
   */
  readonly encryptionKey?: kms.IKey;

  /**
   * A name of one's own. Its certificate must be in us-east-1, so a stack in another region can't create one.
   * @default - the name that CloudFront gives
   */
  readonly domain?: DomainProps;
}

/** Where CloudFront's web ACLs and metrics are. */
export const cloudFrontRegion = 'us-east-1';

export type CloudFrontMetric = 'Requests' | 'BytesDownloaded' | '4xxErrorRate' | '5xxErrorRate';

/** The longest time that CloudFront waits for a response without a raised quota. A poll takes 25 s, a ping interval. */
const originTimeout = Duration.seconds(60);

/** CloudFront's names have 64 characters at most. This leaves room for a name of the stack's own and for a region. */
const maxStackPart = 64 - '-StrictTransport-ap-southeast-1'.length;

/** CloudFront, which gives HTTPS and a domain name for free, in front of a load balancer that only it can reach. */
export class CloudFrontEdge extends Construct implements Edge {
  readonly balancer: LoadBalancer;
  readonly internalBalancer: LoadBalancer;
  readonly connections: ec2.Connections;
  readonly url: string;
  readonly webSocketUrl: string;
  readonly dnsTarget: string;
  readonly proxyHops = 2;
  readonly passesHost = false;
  private readonly distribution: cloudfront.Distribution;
  private ownWebAcl: WebAcl | undefined;

  constructor(scope: Construct, id: string, props: CloudFrontEdgeProps) {
    super(scope, id);
    this.balancer = new LoadBalancer(this, 'Balancer', 'Private', props);
    this.internalBalancer = this.balancer;
    this.connections = this.balancer.connections;
    const listener = this.balancer.listen('Http', {
      port: internalPort,
      protocol: elbv2.ApplicationProtocol.HTTP,
      open: false,
    });
    this.balancer.serveOn(listener);
    // One port only: the prefix list counts as 55 of the 60 rules that a security group may have. Services, nodes and
    // agents take three more.
    this.connections.allowFrom(
      ec2.Peer.prefixList(props.prefixListId),
      ec2.Port.tcp(internalPort),
      'CloudFront to load balancer',
    );
    const distribution = this.createDistribution(props);
    this.distribution = distribution;
    // CloudFront can create its VPC origin only for a load balancer that has a listener.
    distribution.node.addDependency(listener);
    if (props.domain) addDnsRecord(this, props.domain, new CloudFrontTarget(distribution), true);
    this.dnsTarget = distribution.distributionDomainName;
    const name = props.domain?.domainName ?? distribution.distributionDomainName;
    this.url = `https://${name}`;
    this.webSocketUrl = `wss://${name}`;
  }

  get webAcl(): WebAcl | undefined {
    return this.ownWebAcl;
  }

  /**
   * CloudFront's metrics are in us-east-1, wherever the stack is. A dashboard shows them everywhere; an alarm can't read a
   * metric of another region (Amazon CloudWatch User Guide, "Cross-account cross-Region CloudWatch console").
   *
   * @param name as in CloudWatch's namespace AWS/CloudFront
   */
  metric(name: CloudFrontMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/CloudFront',
      metricName: name,
      dimensionsMap: { DistributionId: this.distribution.distributionId, Region: 'Global' },
      region: cloudFrontRegion,
      ...props,
    });
  }

  private createDistribution(props: CloudFrontEdgeProps) {
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: Stack.of(this).stackName,
      defaultBehavior: {
        origin: VpcOrigin.withApplicationLoadBalancer(this.balancer.resource, {
          // HTTPS would need a certificate for the load balancer's own name, and this connection never leaves AWS.
          protocolPolicy: cloudfront.OriginProtocolPolicy.HTTP_ONLY,
          readTimeout: originTimeout,
          keepaliveTimeout: originTimeout,
          vpcOriginName: this.globalName('Origin'),
        }),
        // HTTP long-polling and the HTTP API send POST requests.
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
        // This policy forwards cookies and Sec-WebSocket-*, but not Host: with Host, CloudFront refuses the load
        // balancer's 101.
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        responseHeadersPolicy: this.strictTransport(),
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        functionAssociations: [
          { function: this.secureCookies(), eventType: cloudfront.FunctionEventType.VIEWER_RESPONSE },
        ],
      },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      enableLogging: true,
      logBucket: logBucket(this, 'ViewerLogs', {
        removalPolicy: props.removalPolicy,
        encryptionKey: props.encryptionKey,
        acceptsAcls: true,
      }),
      ...this.webAclOf(props),
      ...this.nameOf(props.domain),
    });
    Validations.of(distribution).acknowledge({
      id: 'AwsSolutions::AwsSolutions-CFR1',
      reason: 'Users may be in any country; tokens decide who may connect.',
    });
    return distribution;
  }

  private nameOf(domain: DomainProps | undefined) {
    if (domain)
      return {
        domainNames: [domain.domainName],
        certificate: certificateFor(this, domain),
        minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      };
    Validations.of(this).acknowledge({
      id: 'AwsSolutions::AwsSolutions-CFR4',
      reason:
        'CloudFront’s default certificate takes no minimum version of TLS; a domain of your own (`domainName`) does.',
    });
    return {};
  }

  /** Behind CloudFront the service is asked by HTTP, so it does not know that browsers may keep to HTTPS. */
  private strictTransport() {
    return new cloudfront.ResponseHeadersPolicy(this, 'StrictTransport', {
      responseHeadersPolicyName: this.globalName('StrictTransport'),
      securityHeadersBehavior: {
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: false,
          override: false,
        },
      },
    });
  }

  private secureCookies() {
    return new cloudfront.Function(this, 'SecureCookies', {
      functionName: this.globalName('SecureCookies'),
      code: cloudfront.FunctionCode.fromInline(secureCookies),
      runtime: cloudfront.FunctionRuntime.JS_2_0,
      comment: 'Adds Secure to the load balancer’s cookies',
    });
  }

  /** CloudFront's functions and origins are the account's, so that stacks in two regions must differ too. */
  private globalName(name: string): string {
    return `${physicalName(this, maxStackPart)}-${name}-${Stack.of(this).region}`;
  }

  private webAclOf({ webAclRequestsPerAddress, webAclArn }: CloudFrontEdgeProps) {
    if (!webAclRequestsPerAddress)
      return this.withoutWebAcl('The web ACL is off: the knob `waf` turns it on.');
    if (webAclArn) return { webAclId: webAclArn };
    const region = Stack.of(this).region;
    if (region === cloudFrontRegion) {
      this.ownWebAcl = new WebAcl(this, 'WebAcl', {
        scope: 'CLOUDFRONT',
        requestsPerAddress: webAclRequestsPerAddress,
      });
      return { webAclId: this.ownWebAcl.arn };
    }
    Annotations.of(this).addWarningV2(
      'realtime-stack:no-web-acl',
      `CloudFront has no web ACL: a stack in ${region} can't create one, because they exist in us-east-1 only. Create one there and set \`wafWebAclArn\`, or use a domain of your own.`,
    );
    return this.withoutWebAcl('Web ACLs of CloudFront exist in us-east-1 only; synth warns about it.');
  }

  private withoutWebAcl(reason: string): Record<string, never> {
    Validations.of(this).acknowledge({ id: 'AwsSolutions::AwsSolutions-CFR2', reason });
    return {};
  }
}

/**
 * A CloudFront function for viewer responses, in CloudFront's JavaScript 2.0. The load balancer speaks HTTP, so it
 * sets the cookie `AWSALBCORS` with `SameSite=None` and without `Secure`, and browsers reject such a cookie.
 *
 * CloudFront runs no function for responses with a status of 400 or more, and no other means changes a cookie there
 * but a function in us-east-1 that each request would wait for. A browser rejects the cookie of such a response and
 * keeps the one that it has, which the load balancer still takes: whoever has none begins anew with the next handshake.
 */
const secureCookies = `function handler(event) {
  var cookies = event.response.cookies;
  for (var name in cookies) {
    if (name.indexOf('AWSALB') !== 0) continue;
    var all = cookies[name].multiValue || [cookies[name]];
    all.concat(cookies[name]).forEach(function (cookie) {
      var attributes = cookie.attributes || '';
      if (!/(^|;)\\s*secure\\s*(;|$)/i.test(attributes))
        cookie.attributes = attributes ? attributes + '; Secure' : 'Secure';
    });
  }
  return event.response;
}`;
