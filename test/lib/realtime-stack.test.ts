import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { parseConfig, type RealtimeConfigInput } from '../../lib/config/config.ts';
import { RealtimeStack } from '../../lib/realtime-stack.ts';
import {
  imageUri,
  type Json,
  newApp,
  realtimeStack,
  resourcesOf,
  templateOf,
  warningsOf,
} from './aws/synthesis.ts';

const hash = /[0-9a-f]{64}/g;
expect.addSnapshotSerializer({
  test: (value) => typeof value === 'string' && value.search(hash) >= 0,
  serialize: (value: string) => JSON.stringify(value.replaceAll(hash, '<hash>')),
});

const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/0123';
const secure = { certificateArn, domainName: 'realtime.example.com' };

test('the stack, whole', () => {
  expect(templateOf().toJSON()).toMatchSnapshot();
});

test('the same configuration gives the same template', () => {
  expect(Template.fromStack(realtimeStack()).toJSON()).toEqual(templateOf().toJSON());
});

test('the service runs as two tasks behind the load balancer, after the cache is there', () => {
  const template = templateOf();
  const [service] = Object.values(template.findResources('AWS::ECS::Service')) as Json[];
  expect(service.Properties).toMatchObject({
    DesiredCount: 2,
    LoadBalancers: [{ ContainerName: 'app', ContainerPort: 3000 }],
  });
  expect(service.DependsOn).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^BackplaneCache/),
      expect.stringMatching(/^AppTaskTaskRoleDefaultPolicy/),
      expect.stringMatching(/^EdgePublicLoadBalancerPublicHttp/),
    ]),
  );
});

test('the task may read the address of the cache and nothing else', () => {
  const policy = resourcesOf(templateOf(), 'AWS::IAM::Policy').find(({ PolicyName }) =>
    PolicyName.startsWith('AppTaskTaskRole'),
  );
  expect(policy.PolicyDocument.Statement).toEqual([
    expect.objectContaining({ Effect: 'Allow', Action: 'ssm:GetParameter' }),
  ]);
  expect(JSON.stringify(policy.PolicyDocument.Statement[0].Resource)).toMatch(/BackplaneRedisUrl/);
});

test('without a backplane one task serves alone: no cache, no parameter', () => {
  const template = templateOf({ backplane: 'none' });
  for (const type of ['AWS::ElastiCache::ReplicationGroup', 'AWS::SSM::Parameter'])
    template.resourceCountIs(type, 0);
  template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: 1 });
});

test('the way to no backplane and back keeps address, network and service', () => {
  const idsOf = (knobs: RealtimeConfigInput) => Object.keys(templateOf(knobs).toJSON().Resources);
  const removed = idsOf({}).filter((id) => !idsOf({ backplane: 'none' }).includes(id));
  expect(removed.filter((id) => !/^Backplane|Backplane|^AppTaskTaskRoleDefaultPolicy/.test(id))).toEqual([]);
});

test('every knob reaches its resource', () => {
  const template = templateOf({
    stackName: 'Other',
    region: 'eu-west-1',
    availabilityZones: 'eu-west-1a,eu-west-1b',
    natGateways: 2,
    cacheNodeType: 'cache.m7g.large',
    cacheReplicas: 2,
    cacheEngineVersion: '8.1',
    desiredCount: 4,
    cpu: 1024,
    memoryMiB: 4096,
    cpuArchitecture: 'x86_64',
    idleTimeoutSeconds: 300,
    containerInsights: true,
  });
  template.resourceCountIs('AWS::EC2::NatGateway', 2);
  template.resourceCountIs('AWS::EC2::Subnet', 6);
  template.hasResourceProperties('AWS::ElastiCache::ReplicationGroup', {
    CacheNodeType: 'cache.m7g.large',
    NumCacheClusters: 3,
    EngineVersion: '8.1',
  });
  template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: 4 });
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    Cpu: '1024',
    Memory: '4096',
    RuntimePlatform: { CpuArchitecture: 'X86_64' },
  });
  template.hasResourceProperties('AWS::SSM::Parameter', { Name: '/realtime-stack/Other/redis-url' });
  template.hasResourceProperties('AWS::ECS::Cluster', {
    ClusterSettings: [{ Name: 'containerInsights', Value: 'enhanced' }],
    Tags: [{ Key: 'realtime-stack:deployment', Value: 'Other' }],
  });
  const text = JSON.stringify(template.toJSON());
  expect(text).toContain('"Key":"idle_timeout.timeout_seconds","Value":"300"');
  expect(text).toContain('{"Name":"IDLE_TIMEOUT_SECONDS","Value":"300"}');
});

test('the outputs say where it is and how to prove it', () => {
  const outputs = templateOf(secure).toJSON().Outputs;
  expect(outputs.Url.Value).toBe('https://realtime.example.com');
  expect(outputs.VerifyCommand.Value).toBe(
    'npm run verify -- --url https://realtime.example.com --instances 2',
  );
  expect(JSON.stringify(outputs.LoadBalancerName.Value)).toContain('DNSName');
  expect(Object.keys(templateOf().toJSON().Outputs)).toEqual(['Url', 'VerifyCommand']);
});

test('what is legal but risky is said, with an id, and nothing else is', () => {
  expect(warningsOf(realtimeStack(secure))).toEqual([]);
  expect(
    warningsOf(realtimeStack({ backplane: 'none' })).map((text) => /realtime-stack:[\w-]+/.exec(text)?.[0]),
  ).toEqual(expect.arrayContaining(['realtime-stack:http-only', 'realtime-stack:single-instance']));
});

describe('as `cdk synth` does it, with cdk-nag and the CDK’s validator', () => {
  beforeAll(() => {
    delete process.env.CDK_VALIDATION;
  });

  function reportOf(knobs: RealtimeConfigInput): Json[] {
    const app = newApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    new RealtimeStack(app, 'RealtimeStack', parseConfig(knobs));
    const { directory } = app.synth();
    return JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')).pluginReports;
  }

  const acknowledgedOf = (reports: Json[]) =>
    reports.flatMap(({ suppressedViolations = [] }) => suppressedViolations) as Json[];

  // The first builds the image from app/, as a fresh clone does.
  test.each([
    ['defaults', {}, ['AEC6', 'EC23', 'ECS2', 'ECS4', 'IAM5[Resource::*]']],
    ['no backplane', { imageUri, backplane: 'none' }, ['EC23', 'ECS2', 'ECS4', 'IAM5[Resource::*]']],
    [
      'everything on',
      { imageUri, ...secure, containerInsights: 'true', cacheReplicas: 0 },
      ['AEC4', 'AEC6', 'EC23', 'ECS2', 'IAM5[Resource::*]'],
    ],
  ])('%s: clean, and every acknowledged finding has a reason', (_, knobs, acknowledged) => {
    const reports = reportOf(knobs);
    expect(reports.map(({ pluginName }) => pluginName)).toContain('AwsSolutions');
    expect(
      reports.flatMap(({ violations }) => violations).filter(({ severity }) => severity !== 'warning'),
    ).toEqual([]);
    const nag = acknowledgedOf(reports).filter(({ ruleName }) => ruleName.startsWith('AwsSolutions-'));
    expect([...new Set(nag.map(({ ruleName }) => ruleName.slice('AwsSolutions-'.length)))].sort()).toEqual(
      acknowledged,
    );
    expect(nag.filter(({ reason }) => !(reason?.length > 20))).toEqual([]);
  });

  test('a finding that nobody acknowledged stops the synthesis', () => {
    const app = newApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    new Bucket(new Stack(app, 'Stack'), 'Bucket');
    expect(() => app.synth()).toThrow('AwsSolutions-S1');
  });

  test('a property that CloudFormation does not know stops the synthesis', () => {
    const app = newApp();
    new CfnResource(new Stack(app, 'Stack'), 'Cluster', {
      type: 'AWS::ECS::Cluster',
      properties: { ClusterNam: 'misspelt' },
    });
    expect(() => app.synth()).toThrow('ClusterNam');
  });
});
