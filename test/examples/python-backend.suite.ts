import { readFileSync } from 'node:fs';
import { type App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { type KnobInput, parseConfig } from '../../lib/config/config.ts';
import { RealtimeStack } from '../../lib/realtime-stack.ts';
import {
  containerOf,
  imageUri,
  type Json,
  newApp,
  resourcesOf,
  variablesOf,
  withoutHash,
} from '../lib/aws/synthesis.ts';
import { openFindings, reportsOf, templateOf, variants } from '../lib/stack/templates.ts';
import { PythonBackend, type PythonBackendProps } from './python-backend.ts';

const secretsManager = 'arn:aws:secretsmanager:us-east-1:123456789012:secret';
const database = { securityGroupId: 'sg-0123abcd', secretArn: `${secretsManager}:database-AbCdEf` };

function synthesize(knobs: KnobInput, props: Partial<PythonBackendProps> = {}) {
  const app: App = newApp();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new RealtimeStack(app, 'RealtimeStack', parseConfig({ imageUri, ...knobs }));
  new PythonBackend(stack, 'Backend', { cpuArchitecture: 'x86_64', tasks: 2, ...props });
  const template = Template.fromStack(stack);
  const task = resourcesOf(template, 'AWS::ECS::TaskDefinition').find((each) => containerOf(each, 'backend'));
  return { stack, template, container: containerOf(task, 'backend') };
}

const behindCloudFront = synthesize(
  { ...variants['LiveKit on Fargate'] },
  { maxTasks: 4, database, secrets: { STRIPE_KEY: `${secretsManager}:stripe-AbCdEf` } },
);
const withDomain = synthesize(variants['own certificate'], { host: 'api.example.com' });

const namesOf = ({ Secrets }: Json): string[] => Secrets.map(({ Name }: Json) => Name);
const secretOf = ({ Secrets }: Json, name: string): string =>
  JSON.stringify(Secrets.find(({ Name }: Json) => Name === name).ValueFrom);

/** The properties of the load balancer's rule for the backend. */
function ruleOf({ template }: { template: Template }): Json {
  return resourcesOf(template, 'AWS::ElasticLoadBalancingV2::ListenerRule').find(({ Conditions }) =>
    JSON.stringify(Conditions).match(/backend|api\.example/),
  );
}

test('every secret comes from Secrets Manager, and the template has none of them', () => {
  const { container } = behindCloudFront;
  expect(namesOf(container).sort()).toEqual([
    'AUTH_SECRET',
    'ConnectionStrings__Redis',
    'DATABASE_HOST',
    'DATABASE_PASSWORD',
    'DATABASE_USERNAME',
    'LIVEKIT_API_KEY',
    'LIVEKIT_API_SECRET',
    'REDIS_URL',
    'STRIPE_KEY',
  ]);
  expect(secretOf(container, 'REDIS_URL')).toMatch(/RedisBackendSettings1.*:url::/);
  expect(secretOf(container, 'AUTH_SECRET')).toContain('ServiceAuthSecret');
  expect(secretOf(container, 'LIVEKIT_API_SECRET')).toMatch(/LiveKitKeyVersion1.*:apiSecret::/);
  expect(secretOf(container, 'DATABASE_PASSWORD')).toContain(`${database.secretArn}:password::`);
  expect(Object.keys(variablesOf(container)).sort()).toEqual([
    'CORS_ORIGINS',
    'IDLE_TIMEOUT_SECONDS',
    'KEY_PREFIX',
    'LIVEKIT_API_URL',
    'LIVEKIT_URL',
    'PORT',
    'ROOT_PATH',
  ]);
});

test('its Redis user has its own keys and python-socketio’s channel, and nothing of the service’s', () => {
  const users = resourcesOf(behindCloudFront.template, 'AWS::ElastiCache::User');
  const { AccessString } = users.find(({ UserName }) => UserName === 'backend');
  expect(AccessString.split(' ').filter((rule: string) => /^[~&]/.test(rule))).toEqual([
    '~backend:*',
    '&socketio',
  ]);
  expect(AccessString).not.toMatch(/\+(eval|scan|keys|config|flush|@)/);
});

test('it is reached by its path, with a sticky target group of its own that asks for its health', () => {
  expect(ruleOf(behindCloudFront).Conditions).toEqual([
    { Field: 'path-pattern', PathPatternConfig: { Values: ['/backend', '/backend/*'] } },
  ]);
  const groups = resourcesOf(behindCloudFront.template, 'AWS::ElasticLoadBalancingV2::TargetGroup');
  const own = groups.find(({ Port }) => Port === 8000);
  expect(own).toMatchObject({ HealthCheckPath: '/health/ready', TargetType: 'ip' });
  expect(own.TargetGroupAttributes).toContainEqual({ Key: 'stickiness.enabled', Value: 'true' });
});

test('with a domain it may have a host name of its own, and clients keep their paths', () => {
  expect(ruleOf(withDomain).Conditions).toEqual([
    { Field: 'host-header', HostHeaderConfig: { Values: ['api.example.com'] } },
  ]);
  expect(variablesOf(withDomain.container)).toMatchObject({
    CORS_ORIGINS: 'https://api.example.com,https://realtime.example.com',
  });
  expect(variablesOf(withDomain.container)).not.toHaveProperty('ROOT_PATH');
});

test('its rule stays where it is when the stack gets calls: no two rules may have one priority, not even for a moment', () => {
  expect([behindCloudFront, withDomain].map((each) => ruleOf(each).Priority)).toEqual([1_000, 1_000]);
});

test('beside a service that runs, it changes nothing of it: only the cache’s users and the order of resources', () => {
  const without: Record<string, Json> = templateOf(variants['LiveKit on Fargate']).toJSON().Resources;
  const now: Record<string, Json> = behindCloudFront.template.toJSON().Resources;
  const inAnyOrder = ({ DependsOn, ...resource }: Json) => JSON.stringify(resource);
  const changed = Object.keys(without).filter(
    (id) => !now[id] || inAnyOrder(without[id]) !== inAnyOrder(now[id]),
  );
  expect(changed.map(withoutHash)).toEqual(['RedisUsersGroup']);
});

test('behind CloudFront, which hides the name, a host name is refused', () => {
  expect(() => synthesize({}, { host: 'api.example.com' })).toThrow(
    '`hosts` must be left out behind CloudFront, which replaces the name that clients ask for, got: api.example.com',
  );
});

test('its tasks reach AWS, Redis, LiveKit’s API and the database, and nothing else', () => {
  const { template } = behindCloudFront;
  const [groupId, group] = Object.entries(template.findResources('AWS::EC2::SecurityGroup')).find(
    ([, { Properties }]: Json) => Properties.GroupDescription.startsWith('Tasks of backend'),
  ) as [string, Json];
  const inline = group.Properties.SecurityGroupEgress.map(({ ToPort }: Json) => ToPort);
  const apart = resourcesOf(template, 'AWS::EC2::SecurityGroupEgress')
    .filter(({ GroupId }) => GroupId['Fn::GetAtt'][0] === groupId)
    .map(({ ToPort }) => ToPort);
  expect([...inline, ...apart].sort((one, other) => one - other)).toEqual([80, 443, 5432, 6379]);
  expect(resourcesOf(template, 'AWS::EC2::SecurityGroupIngress')).toContainEqual(
    expect.objectContaining({ GroupId: database.securityGroupId, FromPort: 5432, ToPort: 5432 }),
  );
});

test('its role may read the address of Redis and its own login, and its start those secrets that it names', () => {
  const policies = Object.entries(behindCloudFront.template.findResources('AWS::IAM::Policy')).filter(
    ([id]) => id.startsWith('BackendServiceTask'),
  );
  const statements = policies.flatMap(([, { Properties }]: Json) => Properties.PolicyDocument.Statement);
  for (const { Action, Resource } of statements)
    if (Resource === '*') expect(Action).toBe('ecr:GetAuthorizationToken');
  expect(JSON.stringify(statements)).not.toMatch(/secretsmanager:\*|ssm:\*|ServiceToken|AppUser/);
});

test('with the cache that a team has, it is as docs/moving says: one login, by its secret', () => {
  const page = readFileSync('docs/moving/python-socketio.md', 'utf8');
  const [, block] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  const { template, container, stack } = synthesize(JSON.parse(`{${block}}`), { host: 'api.example.com' });
  expect(secretOf(container, 'REDIS_URL')).toMatch(/RedisSettings.*:url::/);
  const [settings] = resourcesOf(template, 'AWS::SecretsManager::Secret')
    .map(({ SecretString }) => JSON.stringify(SecretString ?? ''))
    .filter((text) => text.includes('rediss://'));
  expect(settings).toContain(
    'rediss://:{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-AbCdEf:SecretString:::}}@master.backend.abc123.use1.cache.amazonaws.com:6379',
  );
  template.resourceCountIs('AWS::ElastiCache::ReplicationGroup', 0);
  expect(openFindings(reportsOf(stack))).toEqual([]);
});

test('it scales where it may, and a deployment then sets no count', () => {
  const scaled = ({ template }: { template: Template }) =>
    resourcesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget').filter(({ ResourceId }) =>
      JSON.stringify(ResourceId).includes('BackendService'),
    );
  expect(scaled(behindCloudFront)).toEqual([expect.objectContaining({ MinCapacity: 2, MaxCapacity: 4 })]);
  expect(scaled(withDomain)).toEqual([]);
});

test('its alarms report where the stack’s do, each with its article', () => {
  const runbook = readFileSync('RUNBOOK.md', 'utf8');
  const own = Object.entries(behindCloudFront.template.findResources('AWS::CloudWatch::Alarm'))
    .filter(([id]) => id.startsWith('Backend'))
    .map(([, { Properties }]: Json) => Properties);
  expect(own).toHaveLength(3);
  for (const { AlarmDescription, AlarmActions } of own) {
    expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^Alarms/) }]);
    expect(runbook).toContain(`### ${/RUNBOOK\.md: "(.+?)"/.exec(AlarmDescription)?.[1]}\n`);
  }
});

test.each([
  ['behind CloudFront, with calls', behindCloudFront],
  ['with a domain', withDomain],
])('cdk-nag finds nothing that is not acknowledged: %s', (_, { stack }) => {
  expect(openFindings(reportsOf(stack))).toEqual([]);
});
