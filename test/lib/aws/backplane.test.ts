import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Backplane, type BackplaneProps } from '../../../lib/aws/backplane.ts';
import { newStack, newVpc, resourcesOf, warningsOf } from './synthesis.ts';

function backplane(props: Partial<BackplaneProps> = {}) {
  const stack = newStack();
  const vpc = newVpc(stack);
  const cache = new Backplane(stack, 'Backplane', {
    vpc,
    nodeType: 'cache.m7g.large',
    engineVersion: '8.2',
    replicas: 1,
    ...props,
  });
  return { stack, vpc, cache, template: () => Template.fromStack(stack) };
}

const cacheProperties = (props?: Partial<BackplaneProps>) =>
  resourcesOf(backplane(props).template(), 'AWS::ElastiCache::ReplicationGroup')[0];

// Validators accept a wrong engine, version, node type, or zones without failover: each is asserted by value.
test('the cache is Valkey 8.2 with cluster mode off', () => {
  expect(cacheProperties()).toMatchObject({
    Engine: 'valkey',
    EngineVersion: '8.2',
    CacheNodeType: 'cache.m7g.large',
    ClusterMode: 'disabled',
    Port: 6379,
  });
});

test('a replica in another zone takes over by itself', () => {
  expect(cacheProperties({ replicas: 2 })).toMatchObject({
    NumCacheClusters: 3,
    MultiAZEnabled: true,
    AutomaticFailoverEnabled: true,
  });
});

test('a single node promises no failover, and says so', () => {
  expect(cacheProperties({ replicas: 0 })).toMatchObject({
    NumCacheClusters: 1,
    MultiAZEnabled: false,
    AutomaticFailoverEnabled: false,
  });
  expect(warningsOf(backplane({ replicas: 0 }).stack)).toEqual([
    expect.stringContaining('realtime-stack:single-cache-node'),
  ]);
  expect(warningsOf(backplane().stack)).toEqual([]);
});

test('data is encrypted on the way and at rest, from the start', () => {
  expect(cacheProperties()).toMatchObject({
    TransitEncryptionEnabled: true,
    TransitEncryptionMode: 'required',
    AtRestEncryptionEnabled: true,
  });
});

test.each([
  [undefined, 1],
  [0, 0],
  [7, 7],
])('snapshots of %s days', (snapshotRetentionDays, expected) => {
  expect(cacheProperties({ snapshotRetentionDays }).SnapshotRetentionLimit).toBe(expected);
});

test.each([
  ['7.2', 'valkey7'],
  ['8.2', 'valkey8'],
])('version %s takes the parameter family %s, and a full cache refuses writes', (engineVersion, family) => {
  const { template } = backplane({ engineVersion });
  template().hasResourceProperties('AWS::ElastiCache::ParameterGroup', {
    CacheParameterGroupFamily: family,
    Properties: { 'maxmemory-policy': 'noeviction' },
  });
});

test('the cache stands in the isolated subnets', () => {
  const { stack, vpc, template } = backplane();
  template().hasResourceProperties('AWS::ElastiCache::SubnetGroup', {
    SubnetIds: stack.resolve(vpc.isolatedSubnets.map(({ subnetId }) => subnetId)),
  });
});

test('the parameter holds the address of the primary node, over TLS, and no secret', () => {
  const { template } = backplane({ port: 6380 });
  const [parameter] = resourcesOf(template(), 'AWS::SSM::Parameter');
  const cacheId = Object.keys(template().findResources('AWS::ElastiCache::ReplicationGroup'))[0];
  expect(parameter).toMatchObject({
    Name: '/realtime-stack/Test/redis-url',
    Type: 'String',
    Value: {
      'Fn::Join': ['', ['rediss://', { 'Fn::GetAtt': [cacheId, 'PrimaryEndPoint.Address'] }, ':6380']],
    },
  });
});

test('without a grant nothing reaches the cache', () => {
  const { template } = backplane();
  template().resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
  expect(resourcesOf(template(), 'AWS::EC2::SecurityGroup')[0].SecurityGroupIngress).toBeUndefined();
});

test('a grant opens the port from the client and the one parameter to its role', () => {
  const { stack, vpc, cache, template } = backplane();
  const role = new iam.Role(stack, 'Role', {
    assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
  });
  const group = new ec2.SecurityGroup(stack, 'Client', { vpc });
  cache.grantConnect({ grantPrincipal: role, connections: group.connections });

  template().hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
    FromPort: 6379,
    ToPort: 6379,
    SourceSecurityGroupId: stack.resolve(group.securityGroupId),
  });
  const { Statement } = resourcesOf(template(), 'AWS::IAM::Policy').find(({ PolicyName }) =>
    PolicyName.startsWith('RoleDefaultPolicy'),
  ).PolicyDocument;
  expect(Statement).toEqual([
    {
      Effect: 'Allow',
      Action: 'ssm:GetParameter',
      Resource: stack.resolve(cache.redisUrlParameter.parameterArn),
    },
  ]);
});

test('the cache goes with the stack', () => {
  backplane().template().hasResource('AWS::ElastiCache::ReplicationGroup', {
    DeletionPolicy: 'Delete',
    Properties: Match.anyValue(),
  });
});
