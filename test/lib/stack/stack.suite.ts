import { Template } from 'aws-cdk-lib/assertions';
import { imageUri, type Json, resourcesOf, withoutHash } from '../aws/synthesis.ts';
import { createStack, resourcesById, synthesize, templateOf, variants, warningsFor } from './templates.ts';

const hash = /[0-9a-f]{64}/g;
expect.addSnapshotSerializer({
  test: (value) => typeof value === 'string' && value.search(hash) >= 0,
  serialize: (value: string) => JSON.stringify(value.replaceAll(hash, '<hash>')),
});

test.each(['dev', 'prod', 'own domain'] as const)('the whole template: %s', (variant) => {
  expect(templateOf(variants[variant]).toJSON()).toMatchSnapshot();
});

test('the same configuration gives the same template', () => {
  const again = createStack({ imageUri });
  expect(Template.fromStack(again).toJSON()).toEqual(templateOf().toJSON());
});

test('dev can be destroyed; prod is protected and keeps logs and secrets', () => {
  expect(synthesize(variants.dev).stack.terminationProtection).toBe(false);
  expect(synthesize(variants.prod).stack.terminationProtection).toBe(true);
  const kept = (variant: 'dev' | 'prod') =>
    Object.entries(resourcesById(variants[variant]))
      .filter(([, { DeletionPolicy }]) => /Retain/.test(DeletionPolicy))
      .map(([id]) => withoutHash(id))
      .sort();
  expect(kept('dev')).toEqual([]);
  expect(kept('prod')).toEqual([
    'EdgeBalancerAccessLogs',
    'EdgeBalancerAccessLogsAutoDeleteObjectsCustomResource',
    'EdgeViewerLogs',
    'EdgeViewerLogsAutoDeleteObjectsCustomResource',
    'NetworkFlowLogs',
    'ServiceAuthSecret',
    'ServiceContainerLogs',
    'ServiceServiceToken',
  ]);
});

test('prod’s cache leaves a snapshot with its bans, dev’s leaves nothing', () => {
  const policiesOf = (knobs: Json) =>
    Object.values(templateOf(knobs).findResources('AWS::ElastiCache::ReplicationGroup')).map(
      ({ DeletionPolicy, UpdateReplacePolicy }: Json) => [DeletionPolicy, UpdateReplacePolicy],
    );
  expect(policiesOf(variants.prod)).toEqual([['Snapshot', 'Snapshot']]);
  expect(policiesOf(variants.dev)).toEqual([['Delete', 'Delete']]);
});

test('without a backplane one task serves alone, without a cache and a parameter', () => {
  const template = templateOf(variants['no backplane']);
  for (const type of ['AWS::ElastiCache::ReplicationGroup', 'AWS::ElastiCache::User', 'AWS::SSM::Parameter'])
    template.resourceCountIs(type, 0);
  template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: 1 });
});

test('bypassed, the cache stays with its users and with LiveKit, and one task serves alone', () => {
  const knobs = { ...variants['own domain'], backplane: 'bypassed' };
  const ofCache = (resources: Record<string, Json>) =>
    Object.entries(resources).filter(([, { Type }]) => Type.startsWith('AWS::ElastiCache::'));
  expect(ofCache(resourcesById(knobs))).toEqual(ofCache(resourcesById(variants['own domain'])));
  const [task] = resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition');
  expect(task.ContainerDefinitions[0].Environment).toContainEqual({ Name: 'REDIS_URL', Value: 'none' });
  const services = Object.entries(templateOf(knobs).findResources('AWS::ECS::Service')) as [string, Json][];
  const count = (name: RegExp) => services.find(([id]) => name.test(id))?.[1].Properties.DesiredCount;
  expect([count(/^ServiceContainer/), count(/^LiveKit/)]).toEqual([1, 2]);
});

test('an existing VPC replaces the stack’s VPC, an existing Redis its cache', () => {
  templateOf(variants['existing VPC']).resourceCountIs('AWS::EC2::VPC', 0);
  const template = templateOf(variants['existing Redis']);
  template.resourceCountIs('AWS::ElastiCache::ReplicationGroup', 0);
  template.hasResourceProperties('AWS::SSM::Parameter', {
    Value: 'rediss://master.shared.abc123.use1.cache.amazonaws.com:6379',
  });
});

test('without LiveKit there is nothing of it', () => {
  const ids = Object.keys(resourcesById(variants.prod));
  expect(ids.filter((id) => /LiveKit|Livekit|^Agent|^Turn/.test(id))).toEqual([]);
});

test('behind CloudFront, browsers keep to HTTPS (HSTS)', () => {
  const [policy] = resourcesOf(templateOf(), 'AWS::CloudFront::ResponseHeadersPolicy');
  expect(policy.ResponseHeadersPolicyConfig.SecurityHeadersConfig).toEqual({
    StrictTransportSecurity: {
      AccessControlMaxAgeSec: 31_536_000,
      IncludeSubdomains: false,
      Override: false,
    },
  });
  const [{ DistributionConfig }] = resourcesOf(templateOf(), 'AWS::CloudFront::Distribution');
  expect(DistributionConfig.DefaultCacheBehavior.ResponseHeadersPolicyId.Ref).toMatch(/^EdgeStrictTransport/);
});

test('CloudFront’s origin has no tags, because CloudFront refuses their change', () => {
  const [origin] = resourcesOf(templateOf(), 'AWS::CloudFront::VpcOrigin');
  expect(origin).not.toHaveProperty('Tags');
});

test('the outputs say where the deployment is, how to prove that it works, and where its secrets are', () => {
  const outputs = templateOf(variants['own certificate']).toJSON().Outputs;
  expect(outputs.Url.Value).toBe('https://realtime.example.com');
  const command = outputs.VerifyCommand.Value['Fn::Join'][1];
  expect(command[0]).toBe(
    'AWS_REGION=us-east-1 AUTH_SECRET="$(aws secretsmanager get-secret-value --region us-east-1 --secret-id ',
  );
  expect(command[1]).toEqual({ Ref: expect.stringMatching(/^ServiceAuthSecret/) });
  expect(command.at(-1)).toContain('npm run verify -- --stack realtime-dev --instances 2');
  expect(JSON.stringify(outputs.LoadBalancerName.Value)).toContain('DNSName');
  expect(Object.keys(templateOf().toJSON().Outputs).sort()).toEqual([
    'AlarmTopic',
    'AuthSecretId',
    'ServiceTokenId',
    'Url',
    'VerifyCommand',
  ]);
});

test('synth warns about what is allowed but risky, with an id, and about nothing else', () => {
  const idsOfWarnings = (knobs: Json) =>
    warningsFor(knobs).map((text) => /realtime-stack:[\w-]+/.exec(text)?.[0]);
  expect(idsOfWarnings(variants.prod)).toEqual([]);
  expect(idsOfWarnings(variants.dev).sort()).toEqual([
    'realtime-stack:guests',
    'realtime-stack:single-cache-node',
  ]);
  expect(idsOfWarnings(variants['no backplane']).sort()).toEqual([
    'realtime-stack:guests',
    'realtime-stack:single-instance',
  ]);
  expect(idsOfWarnings({ ...variants.prod, liveKitNodes: 1 })).toEqual([
    'realtime-stack:single-livekit-node',
  ]);
  expect(idsOfWarnings(variants['everything on'])).toContain('realtime-stack:no-web-acl');
});

test('the most shards that ElastiCache takes fit into what CloudFormation takes', () => {
  const most = {
    ...variants['own domain'],
    cacheShards: 45,
    privateLink: true,
    pythonSocketio: '/chat=emit',
  };
  expect(Object.keys(resourcesById(most)).length).toBeLessThanOrEqual(500);
  // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
  expect(JSON.stringify(templateOf(most).toJSON()).length).toBeLessThan(1_000_000);
});
