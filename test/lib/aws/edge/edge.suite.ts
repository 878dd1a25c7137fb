import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { IpTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2-targets';
import { HostedZone, type IHostedZone } from 'aws-cdk-lib/aws-route53';
import { CloudFrontEdge, type CloudFrontEdgeProps } from '../../../../lib/aws/edge/cloudfront-edge.ts';
import {
  LoadBalancer,
  type LoadBalancerProps,
  type RouteProps,
} from '../../../../lib/aws/edge/load-balancer.ts';
import { PublicEdge, type PublicEdgeProps } from '../../../../lib/aws/edge/public-edge.ts';
import { WebAcl } from '../../../../lib/aws/edge/web-acl.ts';
import {
  attributesOf,
  type Json,
  newNetwork,
  newStack,
  resourcesOf,
  subnetIds,
  warningsOf,
} from '../synthesis.ts';

describe('a load balancer', () => {
  const service: RouteProps = { name: 'Default', port: 3000, readyPath: '/health/ready' };

  function balancer(
    props: Partial<LoadBalancerProps> = {},
    routes = [service],
    kind: 'Public' | 'Private' = 'Public',
  ) {
    const stack = newStack();
    const network = newNetwork(stack);
    const construct = new LoadBalancer(stack, 'Balancer', kind, {
      network,
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(60),
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
    });
    construct.serveOn(construct.listen('Http', { port: 80, open: false }));
    for (const route of routes) construct.route(new IpTarget('10.0.0.1'), route);
    return Template.fromStack(stack);
  }

  const usual = balancer();

  test('it outlasts the heartbeat, drops bad headers, keeps a log and is not deleted by mistake', () => {
    const [created] = resourcesOf(usual, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
    expect(attributesOf(created.LoadBalancerAttributes)).toEqual({
      'deletion_protection.enabled': 'true',
      'idle_timeout.timeout_seconds': '120',
      'routing.http.drop_invalid_header_fields.enabled': 'true',
      'access_logs.s3.enabled': 'true',
      'access_logs.s3.bucket': { Ref: expect.stringMatching(/^BalancerAccessLogs/) },
      'access_logs.s3.prefix': '',
    });
  });

  test.each([
    ['Public', 'internet-facing', 'public'],
    ['Private', 'internal', 'isolated'],
  ] as const)('%s: %s, in the %s subnets', (kind, scheme, subnets) => {
    const template = balancer({}, [service], kind);
    expect(resourcesOf(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer')[0]).toMatchObject({
      Scheme: scheme,
      Subnets: subnetIds[subnets],
    });
  });

  test('the target group is sticky by the load balancer’s cookie, and waits for a drain and 30 s', () => {
    const [group] = resourcesOf(usual, 'AWS::ElasticLoadBalancingV2::TargetGroup');
    // No validator knows these keys: a misspelt one would be refused only when it is deployed.
    expect(attributesOf(group.TargetGroupAttributes)).toEqual({
      'stickiness.enabled': 'true',
      'stickiness.type': 'lb_cookie',
      'stickiness.lb_cookie.duration_seconds': '86400',
      'deregistration_delay.timeout_seconds': '90',
      'load_balancing.algorithm.type': 'least_outstanding_requests',
    });
  });

  test('a target is healthy while it is ready', () => {
    const [group] = resourcesOf(usual, 'AWS::ElasticLoadBalancingV2::TargetGroup');
    expect(group).toMatchObject({
      Port: 3000,
      Protocol: 'HTTP',
      ProtocolVersion: 'HTTP1',
      TargetType: 'ip',
      HealthCheckPath: '/health/ready',
      HealthCheckIntervalSeconds: 10,
      HealthCheckTimeoutSeconds: 5,
      HealthyThresholdCount: 2,
      UnhealthyThresholdCount: 3,
      Matcher: { HttpCode: '200' },
    });
  });

  test('paths are sent to their target, everything else to the default', () => {
    const liveKit: RouteProps = {
      name: 'LiveKit',
      paths: ['/rtc*', '/twirp/*'],
      port: 7880,
      readyPath: '/',
      healthyCodes: '200,406',
    };
    const template = balancer({}, [service, liveKit]);
    expect(resourcesOf(template, 'AWS::ElasticLoadBalancingV2::ListenerRule')).toEqual([
      expect.objectContaining({
        Priority: 20,
        Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/rtc*', '/twirp/*'] } }],
      }),
    ]);
    const groups = Object.entries(template.findResources('AWS::ElasticLoadBalancingV2::TargetGroup'));
    expect(
      groups.map(([id, { Properties }]: [string, Json]) => [id.slice(0, -8), Properties.Matcher.HttpCode]),
    ).toEqual([
      ['BalancerPublicDefaultTargets', '200'],
      ['BalancerPublicLiveKitTargets', '200,406'],
    ]);
  });

  test('a route may be for host names, and for paths of them', () => {
    const api: RouteProps = { name: 'Api', hosts: ['api.example.com'], port: 8000, readyPath: '/' };
    const template = balancer({}, [service, api, { ...api, name: 'Old', paths: ['/v1/*'] }]);
    const host = { Field: 'host-header', HostHeaderConfig: { Values: ['api.example.com'] } };
    const conditions = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::ListenerRule').map(
      ({ Conditions }) => Conditions,
    );
    expect(conditions).toEqual([
      [host],
      [host, { Field: 'path-pattern', PathPatternConfig: { Values: ['/v1/*'] } }],
    ]);
  });

  test('access logs are private, encrypted, refused without TLS, and gone after 30 days', () => {
    const template = usual;
    template.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LifecycleConfiguration: { Rules: [{ ExpirationInDays: 30, Status: 'Enabled' }] },
      },
    });
    const [policy] = resourcesOf(template, 'AWS::S3::BucketPolicy');
    expect(policy.PolicyDocument.Statement).toContainEqual(
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
    );
  });

  test('with DESTROY, the log is deleted with the stack', () => {
    const template = balancer({ removalPolicy: RemovalPolicy.DESTROY });
    template.hasResource('AWS::S3::Bucket', { DeletionPolicy: 'Delete' });
    template.resourceCountIs('Custom::S3AutoDeleteObjects', 1);
  });
});

describe('a public edge', () => {
  const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/0123';

  function edge(props: Partial<PublicEdgeProps> = {}, zone?: (stack: Stack) => IHostedZone) {
    const stack = newStack();
    const construct = new PublicEdge(stack, 'Edge', {
      network: newNetwork(stack),
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(10),
      deletionProtection: false,
      removalPolicy: RemovalPolicy.DESTROY,
      domainName: 'realtime.example.com',
      certificateArn,
      ...(zone && { hostedZone: zone(stack) }),
      ...props,
    });
    construct.balancer.route(new IpTarget('10.0.0.1'), { name: 'Default', port: 3000, readyPath: '/ready' });
    return { stack, construct, template: () => Template.fromStack(stack) };
  }

  const zoneIn = (stack: Stack) =>
    HostedZone.fromHostedZoneAttributes(stack, 'Zone', {
      hostedZoneId: 'Z0123456789ABC',
      zoneName: 'example.com',
    });

  test('it serves TLS 1.2 and later under its name, and redirects HTTP', () => {
    const { stack, construct, template } = edge();
    const listeners = resourcesOf(template(), 'AWS::ElasticLoadBalancingV2::Listener');
    expect(listeners).toContainEqual(
      expect.objectContaining({
        Port: 443,
        Protocol: 'HTTPS',
        Certificates: [{ CertificateArn: certificateArn }],
        SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09',
      }),
    );
    expect(listeners).toContainEqual(
      expect.objectContaining({
        Port: 80,
        DefaultActions: [
          { Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', Port: '443', StatusCode: 'HTTP_301' } },
        ],
      }),
    );
    expect(construct).toMatchObject({
      url: 'https://realtime.example.com',
      webSocketUrl: 'wss://realtime.example.com',
      proxyHops: 1,
    });
    expect(warningsOf(stack)).toEqual([]);
  });

  test('in a zone of Route 53 the certificate is validated and the name is set', () => {
    const template = edge({ certificateArn: undefined }, zoneIn).template();
    template.hasResourceProperties('AWS::CertificateManager::Certificate', {
      DomainName: 'realtime.example.com',
      DomainValidationOptions: [{ DomainName: 'realtime.example.com', HostedZoneId: 'Z0123456789ABC' }],
    });
    template.hasResourceProperties('AWS::Route53::RecordSet', {
      Name: 'realtime.example.com.',
      Type: 'A',
      HostedZoneId: 'Z0123456789ABC',
    });
  });

  test('with a certificate that exists, the stack creates no DNS record', () => {
    edge().template().resourceCountIs('AWS::Route53::RecordSet', 0);
  });

  test('a name without a certificate is refused', () => {
    expect(() => edge({ certificateArn: undefined })).toThrow(
      '`domainName` must stand beside `hostedZone` or `certificateArn`, got: realtime.example.com',
    );
  });

  test('the web ACL protects the load balancer', () => {
    const { template } = edge({ webAclRequestsPerAddress: 20_000 });
    template().hasResourceProperties('AWS::WAFv2::WebACL', { Scope: 'REGIONAL' });
    template().hasResourceProperties('AWS::WAFv2::WebACLAssociation', {
      ResourceArn: { Ref: Match.stringLikeRegexp('^EdgeBalancerPublicLoadBalancer') },
    });
    edge().template().resourceCountIs('AWS::WAFv2::WebACL', 0);
  });

  describe('the web ACL', () => {
    const rules: Json[] = (() => {
      const stack = newStack();
      new WebAcl(stack, 'WebAcl', { scope: 'REGIONAL', requestsPerAddress: 20_000 });
      return resourcesOf(Template.fromStack(stack), 'AWS::WAFv2::WebACL')[0].Rules;
    })();

    test('AWS’s rules and a rate limit apply, in this order', () => {
      expect(rules.map(({ Name, Priority }) => [Priority, Name])).toEqual([
        [0, 'AWSManagedRulesAmazonIpReputationList'],
        [1, 'AWSManagedRulesCommonRuleSet'],
        [2, 'AWSManagedRulesKnownBadInputsRuleSet'],
        [3, 'RequestsPerAddress'],
      ]);
    });

    test('long queries, missing user agents and what people write are counted, not blocked', () => {
      const counted = rules[1].Statement.ManagedRuleGroupStatement.RuleActionOverrides;
      expect(counted.map(({ Name }: Json) => Name)).toEqual(
        expect.arrayContaining([
          'SizeRestrictions_QUERYSTRING',
          'SizeRestrictions_BODY',
          'NoUserAgent_HEADER',
        ]),
      );
      for (const { ActionToUse } of counted) expect(ActionToUse).toEqual({ Count: {} });
    });

    test('the rate limit is for the connecting address, over five minutes', () => {
      expect(rules[3]).toMatchObject({
        Action: { Block: {} },
        Statement: {
          RateBasedStatement: { Limit: 20_000, AggregateKeyType: 'IP', EvaluationWindowSec: 300 },
        },
      });
    });

    test('one for CloudFront is refused outside us-east-1', () => {
      const stack = newStack('eu-west-1');
      expect(() => new WebAcl(stack, 'WebAcl', { scope: 'CLOUDFRONT', requestsPerAddress: 100 })).toThrow(
        '`scope` must be REGIONAL outside us-east-1, got: CLOUDFRONT in eu-west-1',
      );
    });
  });
});

describe('CloudFront', () => {
  const webAclArn =
    'arn:aws:wafv2:us-east-1:123456789012:global/webacl/mine/01234567-89ab-cdef-0123-456789abcdef';

  function edge(props: Partial<CloudFrontEdgeProps> = {}, region = 'us-east-1') {
    const stack = newStack(region);
    const construct = new CloudFrontEdge(stack, 'Edge', {
      network: newNetwork(stack),
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(10),
      deletionProtection: false,
      removalPolicy: RemovalPolicy.DESTROY,
      prefixListId: 'pl-3b927c52',
      ...props,
    });
    construct.balancer.route(new IpTarget('10.0.0.1'), { name: 'Default', port: 3000, readyPath: '/ready' });
    const template = Template.fromStack(stack);
    const [{ DistributionConfig: distribution }] = resourcesOf(template, 'AWS::CloudFront::Distribution');
    return { stack, construct, template, distribution: distribution as Json };
  }

  const usual = edge();

  test('browsers use HTTPS, with every method, cookies and WebSocket headers, and nothing is cached', () => {
    const { DefaultCacheBehavior: behavior } = usual.distribution;
    expect(behavior).toMatchObject({
      ViewerProtocolPolicy: 'redirect-to-https',
      AllowedMethods: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'POST', 'DELETE'],
      // Managed-CachingDisabled and Managed-AllViewerExceptHostHeader.
      CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad',
      OriginRequestPolicyId: 'b689b0a8-53d0-40ab-baf2-68738e2966ac',
    });
  });

  test('the load balancer is reached inside the VPC, by HTTP, and waits as long as a poll', () => {
    const { template, distribution } = usual;
    const [origin] = distribution.Origins;
    expect(origin.VpcOriginConfig).toMatchObject({ OriginReadTimeout: 60, OriginKeepaliveTimeout: 60 });
    const [vpcOrigin] = resourcesOf(template, 'AWS::CloudFront::VpcOrigin');
    // Port 80 is CloudFront's default.
    expect(vpcOrigin.VpcOriginEndpointConfig.OriginProtocolPolicy).toBe('http-only');
  });

  test('only CloudFront reaches it, on one port: its prefix list fills a security group', () => {
    const { template } = usual;
    const [balancer] = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
    expect(balancer.Scheme).toBe('internal');
    const ingress = [
      ...resourcesOf(template, 'AWS::EC2::SecurityGroup').flatMap(
        ({ SecurityGroupIngress = [] }) => SecurityGroupIngress,
      ),
      ...resourcesOf(template, 'AWS::EC2::SecurityGroupIngress'),
    ];
    expect(ingress).toEqual([
      expect.objectContaining({ SourcePrefixListId: 'pl-3b927c52', FromPort: 80, ToPort: 80 }),
    ]);
  });

  test('responses pass through the function that makes cookies secure', () => {
    const { template, distribution } = usual;
    expect(distribution.DefaultCacheBehavior.FunctionAssociations).toEqual([
      { EventType: 'viewer-response', FunctionARN: { 'Fn::GetAtt': [expect.any(String), 'FunctionARN'] } },
    ]);
    template.hasResourceProperties('AWS::CloudFront::Function', {
      FunctionConfig: { Runtime: 'cloudfront-js-2.0' },
      AutoPublish: true,
    });
  });

  test('the distribution is created after the listener', () => {
    const [distribution] = Object.values(
      usual.template.findResources('AWS::CloudFront::Distribution'),
    ) as Json[];
    expect(distribution.DependsOn).toEqual([
      expect.stringMatching(/^EdgeBalancerPrivateLoadBalancerPrivateHttp/),
    ]);
  });

  test('it keeps a log', () => {
    expect(usual.distribution.Logging.Bucket).toEqual({
      'Fn::GetAtt': [expect.stringMatching(/^EdgeViewerLogs/), 'RegionalDomainName'],
    });
  });

  describe('under a domain of one’s own', () => {
    const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/0123';
    const domainName = 'realtime.example.com';
    const inZone = (region = 'us-east-1') => {
      const stack = newStack(region);
      const hostedZone = HostedZone.fromHostedZoneAttributes(stack, 'Zone', {
        hostedZoneId: 'Z0123456789ABC',
        zoneName: 'example.com',
      });
      const construct = new CloudFrontEdge(stack, 'Edge', {
        network: newNetwork(stack),
        idleTimeout: Duration.minutes(2),
        drainTime: Duration.seconds(10),
        deletionProtection: false,
        removalPolicy: RemovalPolicy.DESTROY,
        prefixListId: 'pl-3b927c52',
        domain: { domainName, hostedZone },
      });
      construct.balancer.route(new IpTarget('10.0.0.1'), {
        name: 'Default',
        port: 3000,
        readyPath: '/ready',
      });
      return { construct, template: Template.fromStack(stack) };
    };

    test('CloudFront answers to it, with TLS 1.2 or later, and clients are told of it', () => {
      const { construct, distribution } = edge({ domain: { domainName, certificateArn } });
      expect(distribution).toMatchObject({
        Aliases: [domainName],
        ViewerCertificate: {
          AcmCertificateArn: certificateArn,
          MinimumProtocolVersion: 'TLSv1.2_2021',
          SslSupportMethod: 'sni-only',
        },
      });
      expect(construct).toMatchObject({ url: `https://${domainName}`, webSocketUrl: `wss://${domainName}` });
    });

    test('in a zone of Route 53 the certificate is validated, and both kinds of address lead to CloudFront', () => {
      const { template } = inZone();
      template.hasResourceProperties('AWS::CertificateManager::Certificate', { DomainName: domainName });
      const records = resourcesOf(template, 'AWS::Route53::RecordSet');
      expect(records.map(({ Name, Type }) => [Name, Type])).toEqual([
        [`${domainName}.`, 'A'],
        [`${domainName}.`, 'AAAA'],
      ]);
      for (const { AliasTarget } of records)
        expect(JSON.stringify(AliasTarget.DNSName)).toContain('EdgeDistribution');
    });
  });

  test('services count two proxies, and the name is CloudFront’s', () => {
    const { stack, construct } = usual;
    expect(construct.proxyHops).toBe(2);
    expect(JSON.stringify(stack.resolve(construct.url))).toMatch(/https:\/\/.*DomainName/);
    expect(JSON.stringify(stack.resolve(construct.webSocketUrl))).toMatch(/wss:\/\/.*DomainName/);
  });

  describe('the web ACL', () => {
    test('is made in us-east-1', () => {
      const { template, distribution } = edge({ webAclRequestsPerAddress: 20_000 });
      template.hasResourceProperties('AWS::WAFv2::WebACL', { Scope: 'CLOUDFRONT' });
      expect(distribution.WebACLId).toEqual({ 'Fn::GetAtt': [expect.any(String), 'Arn'] });
    });

    test('is named by ARN in other regions', () => {
      const props = { webAclRequestsPerAddress: 20_000, webAclArn };
      const { template, distribution } = edge(props, 'eu-west-1');
      template.resourceCountIs('AWS::WAFv2::WebACL', 0);
      expect(distribution.WebACLId).toBe(webAclArn);
    });

    test('is left out with a warning if there is none', () => {
      const { stack, template, distribution } = edge({ webAclRequestsPerAddress: 20_000 }, 'eu-west-1');
      template.resourceCountIs('AWS::WAFv2::WebACL', 0);
      expect(distribution).not.toHaveProperty('WebACLId');
      expect(warningsOf(stack)).toEqual([expect.stringContaining('realtime-stack:no-web-acl')]);
    });
  });
});
