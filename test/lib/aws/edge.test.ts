import { Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { IpTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2-targets';
import { Edge } from '../../../lib/aws/edge.ts';
import { attributesOf, newStack, newVpc, resourcesOf, warningsOf } from './synthesis.ts';

const arn = 'arn:aws:acm:us-east-1:123456789012:certificate/0123';

function edge({ secure = false } = {}) {
  const stack = newStack();
  const construct = new Edge(stack, 'Edge', {
    vpc: newVpc(stack),
    idleTimeout: Duration.minutes(2),
    ...(secure && {
      certificate: Certificate.fromCertificateArn(stack, 'Certificate', arn),
      domainName: 'realtime.example.com',
    }),
  });
  construct.route(new IpTarget('10.0.0.1'), { port: 3000, readyPath: '/health/ready' });
  return { stack, construct, template: Template.fromStack(stack) };
}

test('the load balancer is public, outlasts the heartbeat, drops bad headers and keeps a log', () => {
  const [balancer] = resourcesOf(edge().template, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
  expect(balancer.Scheme).toBe('internet-facing');
  expect(attributesOf(balancer.LoadBalancerAttributes)).toEqual({
    'deletion_protection.enabled': 'false',
    'idle_timeout.timeout_seconds': '120',
    'routing.http.drop_invalid_header_fields.enabled': 'true',
    'access_logs.s3.enabled': 'true',
    'access_logs.s3.bucket': { Ref: expect.stringMatching(/^EdgeAccessLogs/) },
    'access_logs.s3.prefix': '',
  });
});

test('the target group is sticky by the load balancer’s cookie', () => {
  const [group] = resourcesOf(edge().template, 'AWS::ElasticLoadBalancingV2::TargetGroup');
  // No validator knows these keys: a misspelt one would be refused only when it is deployed.
  expect(attributesOf(group.TargetGroupAttributes)).toEqual({
    'stickiness.enabled': 'true',
    'stickiness.type': 'lb_cookie',
    'stickiness.lb_cookie.duration_seconds': '86400',
    'deregistration_delay.timeout_seconds': '60',
    'load_balancing.algorithm.type': 'least_outstanding_requests',
  });
});

test('a target counts as healthy while it is ready', () => {
  const [group] = resourcesOf(edge().template, 'AWS::ElasticLoadBalancingV2::TargetGroup');
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

test('without a certificate it serves HTTP and warns', () => {
  const { stack, construct, template } = edge();
  expect(resourcesOf(template, 'AWS::ElasticLoadBalancingV2::Listener')).toEqual([
    expect.objectContaining({ Port: 80, Protocol: 'HTTP' }),
  ]);
  expect(stack.resolve(construct.url)['Fn::Join'][1][0]).toBe('http://');
  expect(warningsOf(stack)).toEqual([expect.stringContaining('realtime-stack:http-only')]);
});

test('with a certificate it serves TLS 1.2 and later, and redirects HTTP', () => {
  const { stack, construct, template } = edge({ secure: true });
  const listeners = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::Listener');
  expect(listeners).toContainEqual(
    expect.objectContaining({
      Port: 443,
      Protocol: 'HTTPS',
      Certificates: [{ CertificateArn: arn }],
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
  expect(construct.url).toBe('https://realtime.example.com');
  expect(warningsOf(stack)).toEqual([]);
});

test('a certificate that comes later changes the listener on port 80 and replaces nothing', () => {
  const idsOf = (template: Template, type: string) =>
    Object.keys(template.findResources(`AWS::ElasticLoadBalancingV2::${type}`));
  const [before, after] = [edge().template, edge({ secure: true }).template];
  expect(idsOf(after, 'Listener')).toEqual(expect.arrayContaining(idsOf(before, 'Listener')));
  expect(idsOf(after, 'LoadBalancer')).toEqual(idsOf(before, 'LoadBalancer'));
  expect(idsOf(after, 'TargetGroup')).toEqual(idsOf(before, 'TargetGroup'));
});

test('access logs are private, encrypted, refused without TLS, and gone after 30 days', () => {
  const { template } = edge();
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
