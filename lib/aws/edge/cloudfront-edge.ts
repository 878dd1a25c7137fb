import { Annotations, Duration, Stack, Validations } from 'aws-cdk-lib';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { VpcOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import type { Edge } from './edge.ts';
import { LoadBalancer, type LoadBalancerProps } from './load-balancer.ts';
import { logBucket } from './log-bucket.ts';
import { secureCookies } from './secure-cookies.ts';
import { WebAcl } from './web-acl.ts';

export interface CloudFrontEdgeProps extends LoadBalancerProps {
  /** The region's list of the addresses from which CloudFront reaches origins. */
  readonly prefixListId: string;

  /**
   * Requests that one address may send in five minutes.
   * @default - no web ACL
   */
  readonly webAclRequestsPerAddress?: number;

  /**
   * A web ACL of scope CLOUDFRONT that exists, for stacks outside us-east-1.
   * @default - the stack's own, in us-east-1
   */
  readonly webAclArn?: string;
}

/** The longest that CloudFront waits for an answer without a raised quota; a poll takes 25 s, a ping interval. */
const originTimeout = Duration.seconds(60);

/** CloudFront, with HTTPS and a name for free, before a load balancer that nobody else reaches. */
export class CloudFrontEdge extends Construct implements Edge {
  readonly balancer: LoadBalancer;
  readonly connections: ec2.Connections;
  readonly distribution: cloudfront.Distribution;
  readonly url: string;
  readonly proxyHops = 2;
  readonly passesHost = false;

  constructor(scope: Construct, id: string, props: CloudFrontEdgeProps) {
    super(scope, id);
    this.balancer = new LoadBalancer(this, 'Balancer', 'Private', props);
    this.connections = this.balancer.connections;
    const listener = this.balancer.listen('Http', {
      port: 80,
      protocol: elbv2.ApplicationProtocol.HTTP,
      open: false,
    });
    this.balancer.serveOn(listener);
    // One port: the list weighs 55 of the 60 rules that a group may hold.
    this.connections.allowFrom(
      ec2.Peer.prefixList(props.prefixListId),
      ec2.Port.tcp(80),
      'CloudFront to load balancer',
    );
    this.distribution = this.distribute(props);
    // CloudFront's way in is built into a load balancer that listens.
    this.distribution.node.addDependency(listener);
    this.url = `https://${this.distribution.distributionDomainName}`;
  }

  private distribute(props: CloudFrontEdgeProps) {
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: Stack.of(this).stackName,
      defaultBehavior: {
        origin: VpcOrigin.withApplicationLoadBalancer(this.balancer.resource, {
          // The certificate would have to match the load balancer's own name; this hop never leaves AWS.
          protocolPolicy: cloudfront.OriginProtocolPolicy.HTTP_ONLY,
          readTimeout: originTimeout,
          keepaliveTimeout: originTimeout,
        }),
        // Polling and the HTTP API send POSTs.
        allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
        cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
        // Cookies and Sec-WebSocket-* pass. Host does not: with it the load balancer's 101 is refused.
        originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        functionAssociations: [
          { function: this.secureCookies(), eventType: cloudfront.FunctionEventType.VIEWER_RESPONSE },
        ],
      },
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      enableLogging: true,
      logBucket: logBucket(this, 'ViewerLogs', {
        retention: props.accessLogRetention,
        removalPolicy: props.removalPolicy,
        acceptsAcls: true,
      }),
      ...this.webAclOf(props),
    });
    Validations.of(distribution).acknowledge(
      {
        id: 'AwsSolutions::AwsSolutions-CFR1',
        reason: 'Users are anywhere; who may not connect is decided by their token.',
      },
      {
        id: 'AwsSolutions::AwsSolutions-CFR4',
        reason:
          'CloudFront’s own certificate takes no minimum version of TLS; a domain of one’s own (`domainName`) does.',
      },
    );
    return distribution;
  }

  private secureCookies() {
    return new cloudfront.Function(this, 'SecureCookies', {
      code: cloudfront.FunctionCode.fromInline(secureCookies),
      runtime: cloudfront.FunctionRuntime.JS_2_0,
      comment: 'Adds Secure to the load balancer’s cookies',
    });
  }

  private webAclOf({ webAclRequestsPerAddress, webAclArn }: CloudFrontEdgeProps) {
    if (!webAclRequestsPerAddress)
      return this.withoutWebAcl('The web ACL is off: the knob `waf` turns it on.');
    if (webAclArn) return { webAclId: webAclArn };
    const region = Stack.of(this).region;
    if (region === 'us-east-1') {
      const acl = new WebAcl(this, 'WebAcl', {
        scope: 'CLOUDFRONT',
        requestsPerAddress: webAclRequestsPerAddress,
      });
      return { webAclId: acl.arn };
    }
    Annotations.of(this).addWarningV2(
      'realtime-stack:no-web-acl',
      `CloudFront has no web ACL: a stack in ${region} can't make one, they are in us-east-1. Make one there and set \`wafWebAclArn\`, or take a domain of your own.`,
    );
    return this.withoutWebAcl('Web ACLs of CloudFront are in us-east-1; warned of at synth.');
  }

  private withoutWebAcl(reason: string): Record<string, never> {
    Validations.of(this).acknowledge({ id: 'AwsSolutions::AwsSolutions-CFR2', reason });
    return {};
  }
}
