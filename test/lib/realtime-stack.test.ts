import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { parseConfig, type RealtimeConfigInput } from '../../lib/config/config.ts';
import { RealtimeStack } from '../../lib/realtime-stack.ts';
import { realtimeStack, templateOf, variants } from './aws/stack-templates.ts';
import { imageUri, type Json, newApp, resourcesOf, warningsOf } from './aws/synthesis.ts';

const hash = /[0-9a-f]{64}/g;
expect.addSnapshotSerializer({
  test: (value) => typeof value === 'string' && value.search(hash) >= 0,
  serialize: (value: string) => JSON.stringify(value.replaceAll(hash, '<hash>')),
});

const resources = (knobs: RealtimeConfigInput): Record<string, Json> => templateOf(knobs).toJSON().Resources;
const idsOf = (knobs: RealtimeConfigInput) => Object.keys(resources(knobs));

/** Logical ids, without their hashes, of what differs between two configurations. */
function changed(before: RealtimeConfigInput, after: RealtimeConfigInput): string[] {
  const [old, now] = [resources(before), resources(after)];
  const ids = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return ids
    .filter((id) => JSON.stringify(old[id]) !== JSON.stringify(now[id]))
    .map(withoutHash)
    .sort();
}

const withoutHash = (id: string) => id.replace(/[0-9A-F]{8}$/, '');

test.each(['dev', 'prod'])('the stack, whole: %s', (environment) => {
  expect(templateOf({ environment }).toJSON()).toMatchSnapshot();
});

test('the same configuration gives the same template', () => {
  expect(Template.fromStack(realtimeStack()).toJSON()).toEqual(templateOf().toJSON());
});

test('the service stands behind the load balancer, after the cache and its users are there', () => {
  const [service] = Object.values(templateOf().findResources('AWS::ECS::Service')) as Json[];
  expect(service.Properties).toMatchObject({
    DesiredCount: 2,
    LoadBalancers: [{ ContainerName: 'app', ContainerPort: 3000 }],
  });
  expect(service.DependsOn.map(withoutHash)).toEqual(
    expect.arrayContaining([
      'BackplaneCache',
      'BackplaneUsers',
      'BackplaneAppUser',
      'AppRealtimeTaskTaskRoleDefaultPolicy',
      'EdgeBalancerPrivateLoadBalancerPrivateHttp',
    ]),
  );
});

test('behind CloudFront, which hides the name that was asked for, the page’s own origin is told', () => {
  const variables = (knobs: RealtimeConfigInput) => {
    const [task] = resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition');
    const { Environment } = task.ContainerDefinitions[0];
    return Object.fromEntries(Environment.map(({ Name, Value }: Json) => [Name, JSON.stringify(Value)]));
  };
  expect(variables({})).toMatchObject({
    TRUSTED_PROXY_HOPS: '"2"',
    CORS_ORIGINS: expect.stringMatching(/https:\/\/.*EdgeDistribution.*DomainName/),
  });
  expect(variables(variants['own certificate'])).toMatchObject({ TRUSTED_PROXY_HOPS: '"1"' });
  expect(variables(variants['own certificate'])).not.toHaveProperty('CORS_ORIGINS');
  expect(variables(variants['everything on']).CORS_ORIGINS).toContain(',https://app.example.com');
});

test('the user of the service in the cache may do what the service does, in its own deployment', () => {
  const users = resourcesOf(templateOf({ environment: 'prod' }), 'AWS::ElastiCache::User');
  const { AccessString } = users.find(({ UserName }) => UserName === 'app');
  expect(AccessString).toMatch(/^on ~realtime-prod:\* &realtime-prod:\* -@all \+/);
  expect(AccessString).not.toMatch(/@(?!all)|reset|allkeys|allcommands/);
});

test('dev can be destroyed, prod is protected and keeps what is asked for later', () => {
  expect(realtimeStack().terminationProtection).toBe(false);
  expect(realtimeStack({ environment: 'prod' }).terminationProtection).toBe(true);
  const kept = (environment: string) =>
    Object.entries(resources({ environment }))
      .filter(([, { DeletionPolicy }]) => /Retain/.test(DeletionPolicy))
      .map(([id]) => withoutHash(id))
      .sort();
  expect(kept('dev')).toEqual([]);
  expect(kept('prod')).toEqual([
    'AppAuthSecret',
    'AppRealtimeLogs',
    'AppServiceToken',
    'EdgeBalancerAccessLogs',
    'EdgeViewerLogs',
    'NetworkFlowLogs',
  ]);
});

test('without a backplane one task serves alone: no cache, no parameter', () => {
  const template = templateOf({ backplane: 'none' });
  for (const type of ['AWS::ElastiCache::ReplicationGroup', 'AWS::ElastiCache::User', 'AWS::SSM::Parameter'])
    template.resourceCountIs(type, 0);
  template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: 1 });
});

test('an existing VPC gets no VPC of ours, an existing Redis no cache', () => {
  templateOf(variants['existing VPC']).resourceCountIs('AWS::EC2::VPC', 0);
  const template = templateOf(variants['existing Redis']);
  template.resourceCountIs('AWS::ElastiCache::ReplicationGroup', 0);
  template.hasResourceProperties('AWS::SSM::Parameter', {
    Value: 'rediss://master.shared.abc123.use1.cache.amazonaws.com:6379',
  });
});

describe('a change touches what it should', () => {
  test('one task more: the service, and what watches for a shortage', () => {
    expect(changed({}, { minTasks: 3 })).toEqual(['AppRealtimeService', 'ObservabilityTaskShortage']);
  });

  test('a bigger node: the cache and its buffers', () => {
    expect(changed({}, { cacheNodeType: 'cache.m7g.large' })).toEqual([
      'BackplaneCache',
      'BackplaneParameters',
    ]);
  });

  test('a rotation: the idle password, its user, and the task that takes it', () => {
    expect(changed({}, { passwordRound: 2 })).toEqual([
      'AppRealtimeService',
      'AppRealtimeTask',
      'AppRealtimeTaskTaskRoleDefaultPolicy',
      'BackplaneAppUser',
      'BackplaneAppUserPasswordB0',
      'BackplaneAppUserPasswordB2',
    ]);
  });

  test('a rotation with LiveKit: its own idle password, and its nodes; the agent keeps running', () => {
    const calls = { liveKitNodes: 2 };
    expect(changed(calls, { ...calls, passwordRound: 2 }).filter((id) => !/^App|AppUser/.test(id))).toEqual([
      'BackplaneLivekitUser',
      'BackplaneLivekitUserPasswordB0',
      'BackplaneLivekitUserPasswordB2',
      'LiveKitService',
      'LiveKitTask',
      'LiveKitTaskExecutionRoleDefaultPolicy',
    ]);
  });

  test('LiveKit later: the service’s task learns of it, the cache gets a user, and nothing else changes', () => {
    const calls = { liveKitNodes: 2 };
    const withoutOrder = (id: string, { DependsOn, ...resource }: Json) => [id, JSON.stringify(resource)];
    const before = Object.entries(resources({}));
    // CloudFront's origin waits for the new rule as well, which is no change of it.
    const kept = before
      .filter(([id, old]) => `${withoutOrder(id, old)}` !== `${withoutOrder(id, resources(calls)[id])}`)
      .map(([id]) => withoutHash(id))
      .sort();
    expect(kept).toEqual(['AppRealtimeTask', 'AppRealtimeTaskExecutionRoleDefaultPolicy', 'BackplaneUsers']);
  });

  test('logs kept longer: the logs', () => {
    expect(changed({}, { logRetentionDays: 14 })).toEqual(['AppRealtimeLogs', 'NetworkFlowLogs']);
  });

  test('the way to no backplane and back keeps address, network and service', () => {
    const removed = idsOf({}).filter((id) => !idsOf({ backplane: 'none' }).includes(id));
    expect(
      removed.filter(
        (id) => !/Backplane|^Observability(ServiceDegraded|DemotedPrimary|Demotions|CacheMemory)/.test(id),
      ),
    ).toEqual([]);
  });

  test('a domain later is another load balancer, with listeners and target groups of its own', () => {
    const edge = (knobs: RealtimeConfigInput) =>
      idsOf(knobs).filter((id) => /LoadBalancer|Listener|Targets|Http/.test(id) && id.startsWith('Edge'));
    const domain = {
      domainName: 'realtime.example.com',
      certificateArn: variants['own certificate'].certificateArn,
    };
    expect(edge({}).length).toBeGreaterThan(2);
    // A target group can't join two load balancers: with the same ids the deployment would roll back.
    expect(edge(domain).filter((id) => edge({}).includes(id))).toEqual([]);
    const kept = idsOf(domain).filter((id) => idsOf({}).includes(id));
    for (const part of ['AppRealtimeService', 'NetworkVpc', 'BackplaneCache', 'AppAuthSecret'])
      expect(kept.map(withoutHash)).toContain(part);
  });
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
    cacheSnapshotDays: 3,
    cacheMaintenanceWindow: 'mon:10:00-mon:12:00',
    minTasks: 4,
    cpu: 1024,
    memoryMiB: 4096,
    cpuArchitecture: 'x86_64',
    idleTimeoutSeconds: 300,
    drainSeconds: 45,
    containerInsights: true,
    logRetentionDays: 365,
    deletionProtection: true,
  });
  template.resourceCountIs('AWS::EC2::NatGateway', 2);
  template.resourceCountIs('AWS::EC2::Subnet', 6);
  template.hasResourceProperties('AWS::ElastiCache::ReplicationGroup', {
    CacheNodeType: 'cache.m7g.large',
    NumCacheClusters: 3,
    EngineVersion: '8.1',
    SnapshotRetentionLimit: 3,
    PreferredMaintenanceWindow: 'mon:10:00-mon:12:00',
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
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 365 });
  const text = JSON.stringify(template.toJSON());
  expect(text).toContain('"Key":"idle_timeout.timeout_seconds","Value":"300"');
  expect(text).toContain('"Key":"deregistration_delay.timeout_seconds","Value":"75"');
  expect(text).toContain('"Key":"deletion_protection.enabled","Value":"true"');
  expect(text).toContain('{"Name":"IDLE_TIMEOUT_SECONDS","Value":"300"}');
  expect(text).toContain('{"Name":"DRAIN_SECONDS","Value":"45"}');
});

test('CloudFront’s origin has no tags, whose change it would refuse', () => {
  const [origin] = resourcesOf(templateOf(), 'AWS::CloudFront::VpcOrigin');
  expect(origin).not.toHaveProperty('Tags');
});

test('the outputs say where it is, how to prove it, and where the keys are', () => {
  const outputs = templateOf(variants['own certificate']).toJSON().Outputs;
  expect(outputs.Url.Value).toBe('https://realtime.example.com');
  const command = outputs.VerifyCommand.Value['Fn::Join'][1];
  expect(command[0]).toBe(
    'AWS_REGION=us-east-1 AUTH_SECRET="$(aws secretsmanager get-secret-value --region us-east-1 --secret-id ',
  );
  expect(command[1]).toEqual({ Ref: expect.stringMatching(/^AppAuthSecret/) });
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

test('what is legal but risky is said, with an id, and nothing else is', () => {
  const idsOfWarnings = (knobs: RealtimeConfigInput) =>
    warningsOf(realtimeStack(knobs)).map((text) => /realtime-stack:[\w-]+/.exec(text)?.[0]);
  expect(idsOfWarnings({ environment: 'prod' })).toEqual([]);
  expect(idsOfWarnings({}).sort()).toEqual(['realtime-stack:guests', 'realtime-stack:single-cache-node']);
  expect(idsOfWarnings({ backplane: 'none', guests: false })).toEqual(['realtime-stack:single-instance']);
  expect(idsOfWarnings({ environment: 'prod', region: 'eu-west-1' })).toEqual(['realtime-stack:no-web-acl']);
});

describe('as `cdk synth` does it, with cdk-nag', () => {
  function reportOf(knobs: RealtimeConfigInput): Json[] {
    const app = newApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    new RealtimeStack(app, 'RealtimeStack', parseConfig(knobs));
    const { directory } = app.synth();
    return JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')).pluginReports;
  }

  const cloudFront = ['CFR1', 'CFR4'];
  const cheap = ['CFR2', ...cloudFront, 'ECS4'];
  const cache = ['AEC6'];

  /** Rules with findings that are acknowledged, beside those of every variant. */
  const acknowledged: Record<keyof typeof variants, readonly string[]> = {
    dev: [...cheap, ...cache, 'AEC4'],
    prod: [...cloudFront, ...cache],
    'own domain': [...cache, 'EC23'],
    'own certificate': [...cache, 'AEC4', 'EC23', 'ECS4'],
    'existing VPC': [...cloudFront, ...cache],
    'existing Redis': cheap,
    'no backplane': cheap,
    'everything on': [...cloudFront, 'CFR2', ...cache, 'AEC4', 'EC23'],
  };
  const everywhere = ['ECS2', 'IAM5', 'SMG4'];

  test.each(Object.entries(variants))(
    '%s: clean, and every acknowledged finding has a reason',
    (name, knobs) => {
      const reports = reportOf({ imageUri, ...knobs });
      expect(reports.map(({ pluginName }) => pluginName)).toContain('AwsSolutions');
      expect(openFindings(reports)).toEqual([]);
      const nag = reports
        .flatMap(({ suppressedViolations = [] }) => suppressedViolations as Json[])
        .filter(({ ruleName }) => ruleName.startsWith('AwsSolutions-'));
      const rules = nag.map(({ ruleName }) => ruleName.slice('AwsSolutions-'.length).replace(/\[.*/, ''));
      expect([...new Set(rules)].sort()).toEqual(
        [...acknowledged[name as keyof typeof variants], ...everywhere].sort(),
      );
      expect(nag.filter(({ reason }) => !(reason?.length > 20))).toEqual([]);
    },
  );

  // It takes seconds, so the two edges stand for all. The first builds the image from app/, as a fresh clone does.
  test.each([
    ['dev', {}],
    ['own domain', { imageUri, ...variants['own domain'] }],
  ])('%s: the CDK’s validator has nothing to say', (_, knobs) => {
    delete process.env.CDK_VALIDATION;
    try {
      expect(openFindings(reportOf(knobs))).toEqual([]);
    } finally {
      process.env.CDK_VALIDATION = 'false';
    }
  });

  // As in bin/cdk.ts.
  beforeAll(() => setFlagsFromString('--liftoff-only'));

  const openFindings = (reports: Json[]): Json[] =>
    reports.flatMap(({ violations }) => violations).filter(({ severity }) => severity !== 'warning');

  test('a finding that nobody acknowledged stops the synthesis', () => {
    const app = newApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    new Bucket(new Stack(app, 'Stack'), 'Bucket');
    expect(() => app.synth()).toThrow('AwsSolutions-S1');
  });

  test('a property that CloudFormation does not know stops the synthesis', () => {
    delete process.env.CDK_VALIDATION;
    const app = newApp();
    new CfnResource(new Stack(app, 'Stack'), 'Cluster', {
      type: 'AWS::ECS::Cluster',
      properties: { ClusterNam: 'misspelt' },
    });
    expect(() => app.synth()).toThrow('ClusterNam');
    process.env.CDK_VALIDATION = 'false';
  });
});
