import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { AclRules } from '../../../../app/server/redis/acl.ts';
import type { CacheNodes } from '../../../../lib/aws/redis/cache-nodes.ts';
import { CacheUsers } from '../../../../lib/aws/redis/cache-users.ts';
import { ExistingRedis, type ExistingRedisProps } from '../../../../lib/aws/redis/existing-redis.ts';
import { ValkeyCache, type ValkeyCacheProps } from '../../../../lib/aws/redis/valkey-cache.ts';
import { type Json, newNetwork, newStack, resourcesOf, subnetIds, warningsOf } from '../synthesis.ts';

const rules: AclRules = { keys: ['here:*'], channels: ['here:*'], commands: ['ping'] };

function cache({
  passwordVersion = 1,
  ...props
}: Partial<ValkeyCacheProps> & { readonly passwordVersion?: number } = {}) {
  const stack = newStack();
  const network = newNetwork(stack);
  const construct = new ValkeyCache(stack, 'Redis', {
    network,
    users: new CacheUsers(stack, 'RedisUsers', { passwordVersion }),
    nodeType: 'cache.m7g.large',
    engineVersion: '8.2',
    replicas: 1,
    snapshotRetentionDays: 1,
    maintenanceWindow: 'sun:04:00-sun:05:00',
    ...props,
  });
  const app = construct.accessFor('app', rules);
  return { stack, network, construct, app, template: () => Template.fromStack(stack) };
}

const cacheProperties = (props?: Partial<ValkeyCacheProps>) =>
  resourcesOf(cache(props).template(), 'AWS::ElastiCache::ReplicationGroup')[0];

const usersOf = (template: Template): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(template.findResources('AWS::ElastiCache::User')).map(([id, user]: [string, Json]) => [
      user.Properties.UserName,
      { id, ...user },
    ]),
  );

// Validators accept a wrong engine, version or node type, and zones without failover. Each is asserted by value.
test('the cache is Valkey 8.2 with cluster mode off', () => {
  expect(cacheProperties()).toMatchObject({
    Engine: 'valkey',
    EngineVersion: '8.2',
    CacheNodeType: 'cache.m7g.large',
    ClusterMode: 'disabled',
    Port: 6379,
  });
});

test('a replica in another zone takes over automatically', () => {
  expect(cacheProperties({ replicas: 2 })).toMatchObject({
    NumCacheClusters: 3,
    MultiAZEnabled: true,
    AutomaticFailoverEnabled: true,
  });
});

test('a single node has no failover, and synth warns about it', () => {
  expect(cacheProperties({ replicas: 0 })).toMatchObject({
    NumCacheClusters: 1,
    MultiAZEnabled: false,
    AutomaticFailoverEnabled: false,
  });
  expect(warningsOf(cache({ replicas: 0 }).stack)).toEqual([
    expect.stringContaining('realtime-stack:single-cache-node'),
  ]);
  expect(warningsOf(cache().stack)).toEqual([]);
});

describe('several shards', () => {
  const inShards = { shards: 3, replicas: 2 };

  test('are a cluster, whose shards come and go online, each with replicas in other zones', () => {
    const [cluster] = Object.values(
      cache(inShards).template().findResources('AWS::ElastiCache::ReplicationGroup'),
    );
    expect(cluster).toMatchObject({
      UpdatePolicy: { UseOnlineResharding: true },
      Properties: {
        ClusterMode: 'enabled',
        NumNodeGroups: 3,
        ReplicasPerNodeGroup: 2,
        MultiAZEnabled: true,
        AutomaticFailoverEnabled: true,
        TransitEncryptionMode: 'required',
        AtRestEncryptionEnabled: true,
      },
    });
    // The one is of cluster mode off, the other is left to `NumNodeGroups`.
    expect(Object.keys(cluster?.Properties)).not.toContain('NumCacheClusters');
    expect(Object.keys(cluster?.Properties)).not.toContain('NodeGroupConfiguration');
    expect(Object.keys(cacheProperties())).not.toContain('NumNodeGroups');
  });

  test('evict nothing, and go on to serve when one of them is away', () => {
    cache(inShards)
      .template()
      .hasResourceProperties('AWS::ElastiCache::ParameterGroup', {
        CacheParameterGroupFamily: 'valkey8',
        Properties: Match.objectLike({
          'cluster-enabled': 'yes',
          'cluster-require-full-coverage': 'no',
          'maxmemory-policy': 'noeviction',
        }),
      });
    const [parameters] = resourcesOf(cache().template(), 'AWS::ElastiCache::ParameterGroup');
    expect(Object.keys(parameters.Properties)).not.toContain('cluster-enabled');
  });

  test('have one address, that of all nodes, under a name that no single node has', () => {
    const { app, template } = cache(inShards);
    app.settings();
    const [parameter] = resourcesOf(template(), 'AWS::SSM::Parameter');
    expect(parameter.Name).toBe('/realtime-stack/Test/redis-shards-of-3-url');
    expect(JSON.stringify(parameter.Value)).toContain('"ConfigurationEndPoint.Address"');
    const composed = resourcesOf(template(), 'AWS::SecretsManager::Secret').find(
      ({ SecretString }) => SecretString,
    );
    expect(JSON.stringify(composed.SecretString)).toContain('"ConfigurationEndPoint.Address"');
    expect(JSON.stringify(composed.SecretString)).not.toContain('PrimaryEndPoint');
  });

  test.each([
    [{ shards: 2, replicas: 1 }, 'got: 2 with 1 replicas'],
    [{ shards: 3, replicas: 0 }, 'got: 3 with 0 replicas'],
    [{ shards: 3, replicas: 1, failsOver: false }, 'got: 3 with 1 replicas'],
  ])('%j are refused', (shape, got) => {
    expect(() => cache(shape)).toThrow(`\`shards\` must be 1, or 3 or more with a replica each`);
    expect(() => cache(shape)).toThrow(got);
  });

  test('are watched by the names that ElastiCache gives their nodes, and no alarm reads more than ten metrics', () => {
    const { stack, construct } = cache({ shards: 7, replicas: 1 });
    const dimensionsOf = (nodes: CacheNodes) =>
      nodes.metrics('CurrConnections').map(({ dimensions }) => {
        const [, [, name]] = stack.resolve(dimensions?.CacheClusterId)['Fn::Join'];
        return name;
      });
    expect(construct.nodes.byShard.map(dimensionsOf).slice(0, 2)).toEqual([
      ['-0001-001', '-0001-002'],
      ['-0002-001', '-0002-002'],
    ]);
    const parts = construct.nodes.byAlarm;
    expect(parts.map(({ shards }) => shards.join())).toEqual(['0001,0002,0003,0004,0005', '0006,0007']);
    expect(parts.flatMap(dimensionsOf)).toEqual(dimensionsOf(construct.nodes));
    const [most] = cache({ shards: 3, replicas: 5 }).construct.nodes.byAlarm as [CacheNodes];
    expect(most.metrics('CurrConnections')).toHaveLength(6);
  });
});

test('two caches of one stack share their users', () => {
  const { stack, network, construct, template } = cache();
  const users = construct.node.scope?.node.findChild('RedisUsers') as CacheUsers;
  const other = new ValkeyCache(stack, 'Other', {
    network,
    users,
    nodeType: 'cache.t4g.small',
    engineVersion: '8.2',
    replicas: 1,
    snapshotRetentionDays: 0,
    maintenanceWindow: 'sun:04:00-sun:05:00',
  });
  other.accessFor('livekit', rules);
  expect(Object.keys(usersOf(template())).sort()).toEqual(['app', 'default', 'livekit']);
  const groups = resourcesOf(template(), 'AWS::ElastiCache::ReplicationGroup');
  expect(groups.map(({ UserGroupIds }) => UserGroupIds)).toEqual(
    Array(2).fill([{ Ref: expect.stringMatching(/^RedisUsersGroup/) }]),
  );
});

test('data is encrypted in transit and at rest, from creation', () => {
  expect(cacheProperties()).toMatchObject({
    TransitEncryptionEnabled: true,
    TransitEncryptionMode: 'required',
    AtRestEncryptionEnabled: true,
  });
});

test('snapshots are taken before the hour in which AWS patches', () => {
  expect(cacheProperties()).toMatchObject({
    SnapshotRetentionLimit: 1,
    SnapshotWindow: '02:00-03:00',
    PreferredMaintenanceWindow: 'sun:04:00-sun:05:00',
  });
  expect(
    cacheProperties({ snapshotRetentionDays: 7, maintenanceWindow: 'mon:10:00-mon:11:00' }),
  ).toMatchObject({ SnapshotRetentionLimit: 7, PreferredMaintenanceWindow: 'mon:10:00-mon:11:00' });
  expect(cacheProperties({ snapshotRetentionDays: 0 })).toMatchObject({ SnapshotRetentionLimit: 0 });
});

test.each([
  ['7.2', 'cache.t4g.micro', 'valkey7', '33554432', '8388608'],
  ['8.2', 'cache.m7g.large', 'valkey8', '134217728', '33554432'],
  ['9.1', 'cache.m7g.large', 'valkey9', '134217728', '33554432'],
])(
  'version %s on %s: a full cache refuses writes, a slow subscriber is disconnected',
  (engineVersion, nodeType, family, hard, soft) => {
    cache({ engineVersion, nodeType })
      .template()
      .hasResourceProperties('AWS::ElastiCache::ParameterGroup', {
        CacheParameterGroupFamily: family,
        Properties: {
          'maxmemory-policy': 'noeviction',
          'client-output-buffer-limit-pubsub-hard-limit': hard,
          'client-output-buffer-limit-pubsub-soft-limit': soft,
          'client-output-buffer-limit-pubsub-soft-seconds': '60',
        },
      });
  },
);

test('the cache is placed in the isolated subnets', () => {
  cache().template().hasResourceProperties('AWS::ElastiCache::SubnetGroup', {
    SubnetIds: subnetIds.isolated,
  });
});

test('the parameter has the address of the primary node, over TLS, and no secret', () => {
  const template = cache().template();
  const [parameter] = resourcesOf(template, 'AWS::SSM::Parameter');
  const cacheId = Object.keys(template.findResources('AWS::ElastiCache::ReplicationGroup'))[0];
  expect(parameter).toMatchObject({
    Name: '/realtime-stack/Test/redis-url',
    Type: 'String',
    Value: {
      'Fn::Join': ['', ['rediss://', { 'Fn::GetAtt': [cacheId, 'PrimaryEndPoint.Address'] }, ':6379']],
    },
  });
});

describe('users', () => {
  test('each service has its own, and the default user is off', () => {
    const users = usersOf(cache().template());
    expect(users.app?.Properties).toMatchObject({
      Engine: 'valkey',
      UserId: 'test-app',
      AccessString: 'on ~here:* &here:* -@all +ping',
    });
    expect(users.default?.Properties).toMatchObject({
      Engine: 'valkey',
      UserId: 'test-default',
      AccessString: 'off -@all',
    });
    expect(users.default?.Properties.Passwords).toHaveLength(1);
  });

  test('the group has all of them, and the cache admits only the group', () => {
    const { construct, template } = cache();
    construct.accessFor('livekit', rules);
    const users = usersOf(template());
    const [group] = resourcesOf(template(), 'AWS::ElastiCache::UserGroup');
    expect(group).toMatchObject({ Engine: 'valkey', UserGroupId: 'test-users' });
    expect(group.UserIds.map(({ Ref }: Json) => Ref)).toEqual([
      users.default?.id,
      users.app?.id,
      users.livekit?.id,
    ]);
    const [cluster] = resourcesOf(template(), 'AWS::ElastiCache::ReplicationGroup');
    expect(cluster.UserGroupIds).toEqual([{ Ref: expect.stringMatching(/^RedisUsers/) }]);
  });

  test('a name that ElastiCache would refuse is refused', () => {
    expect(() => cache().construct.accessFor('a'.repeat(40), rules)).toThrow(
      '`stackName` and `name` must have 39 characters at most together, got: test-aaa',
    );
  });

  test('they are created and changed one after another', () => {
    const { construct, template } = cache();
    construct.accessFor('livekit', rules);
    const users = usersOf(template());
    expect(users.app?.DependsOn).toContain(users.default?.id);
    expect(users.livekit?.DependsOn).toContain(users.app?.id);
  });

  test('passwords are generated, 64 letters and digits, and the template contains none', () => {
    const secrets = resourcesOf(cache().template(), 'AWS::SecretsManager::Secret');
    expect(secrets).toHaveLength(3);
    for (const { GenerateSecretString, SecretString } of secrets) {
      expect(GenerateSecretString).toMatchObject({ PasswordLength: 64, ExcludePunctuation: true });
      expect(SecretString).toBeUndefined();
    }
  });

  test('a user has two passwords; a rotation changes one of them, and services read that one', () => {
    const passwordsIn = (passwordVersion: number) => {
      const { stack, app, template } = cache({ passwordVersion });
      const passwords: string[] = usersOf(template()).app?.Properties.Passwords.map(
        (value: Json) => /User(Password[AB]\d+)[0-9A-F]{8}\b/.exec(JSON.stringify(value))?.[1],
      );
      const read = /User(Password[AB]\d+)[0-9A-F]{8}\b/.exec(
        JSON.stringify(stack.resolve(app.secret?.secretArn)),
      );
      return { passwords, read: read?.[1] };
    };
    expect(passwordsIn(1)).toEqual({ passwords: ['PasswordA1', 'PasswordB0'], read: 'PasswordA1' });
    expect(passwordsIn(2)).toEqual({ passwords: ['PasswordA1', 'PasswordB2'], read: 'PasswordB2' });
    expect(passwordsIn(3)).toEqual({ passwords: ['PasswordA3', 'PasswordB2'], read: 'PasswordA3' });
    expect(() => cache({ passwordVersion: 0 })).toThrow('`passwordVersion` must be a whole number from 1');
  });
});

test('one secret has both forms of the setting, for programs that know neither SSM nor Secrets Manager', () => {
  const { app, template } = cache();
  app.settings();
  app.settings();
  const composed = resourcesOf(template(), 'AWS::SecretsManager::Secret').filter(
    ({ SecretString }) => SecretString,
  );
  expect(composed).toHaveLength(1);
  const text = textOf(composed[0].SecretString);
  expect(JSON.parse(text)).toEqual({
    url: 'rediss://app:<password>@<host>:6379',
    connectionString: '<host>:6379,user=app,password=<password>,ssl=true,abortConnect=false',
  });
});

test('without a grant nothing reaches the cache', () => {
  const { template } = cache();
  template().resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
  const group = resourcesOf(template(), 'AWS::EC2::SecurityGroup').find(({ GroupDescription }) =>
    GroupDescription.startsWith('Valkey'),
  );
  expect(group.SecurityGroupIngress).toBeUndefined();
});

test('a grant opens the port from the client, and the one parameter and its own two secrets to its role', () => {
  const { stack, network, app, template } = cache();
  const role = new iam.Role(stack, 'Role', {
    assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
  });
  const group = new ec2.SecurityGroup(stack, 'Client', { vpc: network.vpc });
  app.grantConnect({ grantPrincipal: role, connections: group.connections });

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
      Resource: stack.resolve(app.urlParameter.parameterArn),
    },
    {
      Effect: 'Allow',
      Action: 'secretsmanager:GetSecretValue',
      // Of the current version, which comes first, and of the previous one.
      Resource: [
        stack.resolve(app.secret?.secretArn),
        { Ref: expect.stringMatching(/^RedisUsersAppUserPasswordB0/) },
      ],
    },
  ]);
});

test('the memory of each node is watched, by the name that ElastiCache gives it', () => {
  const { stack, construct } = cache({ replicas: 2 });
  const { usingMetrics } = construct.nodes.metricMemoryUsage() as unknown as {
    usingMetrics: Record<string, { dimensions: Json }>;
  };
  expect(Object.values(usingMetrics).map(({ dimensions }) => stack.resolve(dimensions))).toEqual(
    ['-001', '-002', '-003'].map((node) => ({
      CacheClusterId: { 'Fn::Join': ['', [{ Ref: expect.stringMatching(/^RedisCache/) }, node]] },
    })),
  );
});

test('the cache goes with the stack', () => {
  cache().template().hasResource('AWS::ElastiCache::ReplicationGroup', {
    DeletionPolicy: 'Delete',
    Properties: Match.anyValue(),
  });
});

/** A joined text, with short names in place of references. */
function textOf(value: Json): string {
  const parts: Json[] = typeof value === 'string' ? [value] : value['Fn::Join'][1];
  return parts
    .map((part) => (typeof part === 'string' ? part : part['Fn::GetAtt'] ? '<host>' : ''))
    .join('')
    .replace(/\{\{resolve:secretsmanager:[^}]*:SecretString:(\w+)::\}\}/g, '<$1>');
}

describe('a Redis that exists already', () => {
  const secretArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-AbCdEf';

  function redis(props: Partial<ExistingRedisProps> = {}) {
    const stack = newStack();
    const { vpc } = newNetwork(stack);
    const construct = new ExistingRedis(stack, 'Redis', {
      host: 'cache.example.com',
      port: 6380,
      tls: true,
      ...props,
    });
    const role = new iam.Role(stack, 'Role', {
      assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
    });
    const group = new ec2.SecurityGroup(stack, 'Client', { vpc, allowAllOutbound: false });
    construct.grantConnect({ grantPrincipal: role, connections: group.connections });
    return { construct, template: () => Template.fromStack(stack) };
  }

  test.each([
    [true, 'rediss://cache.example.com:6380'],
    [false, 'redis://cache.example.com:6380'],
  ])('with TLS %s the parameter says where it is', (tls, value) => {
    expect(resourcesOf(redis({ tls }).template(), 'AWS::SSM::Parameter')[0].Value).toBe(value);
  });

  test('its security group gets a rule for the client', () => {
    redis({ securityGroupId: 'sg-0123abcd' })
      .template()
      .hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
        GroupId: 'sg-0123abcd',
        FromPort: 6380,
        ToPort: 6380,
      });
  });

  test('without a group of its own, the client reaches its port and no other', () => {
    const { template } = redis();
    template().resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
    template().hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupEgress: [
        {
          CidrIp: '0.0.0.0/0',
          FromPort: 6380,
          ToPort: 6380,
          IpProtocol: 'tcp',
          Description: 'service to Redis',
        },
      ],
    });
  });

  test('the client may read the parameter, and the secret if there is one', () => {
    const resources = (props: Partial<ExistingRedisProps>) =>
      resourcesOf(redis(props).template(), 'AWS::IAM::Policy')
        .find(({ PolicyName }) => PolicyName.startsWith('RoleDefaultPolicy'))
        .PolicyDocument.Statement.map(({ Resource }: { Resource: unknown }) => Resource);
    expect(resources({})).toHaveLength(1);
    expect(resources({ secretArn })).toEqual([expect.anything(), secretArn]);
  });

  test('the setting is composed from the secret if there is one', () => {
    const textOf = (props: Partial<ExistingRedisProps>) => {
      const { construct, template } = redis(props);
      construct.settings();
      return resourcesOf(template(), 'AWS::SecretsManager::Secret')[0].SecretString;
    };
    expect(JSON.parse(textOf({}))).toEqual({
      url: 'rediss://cache.example.com:6380',
      connectionString: 'cache.example.com:6380,ssl=true,abortConnect=false',
    });
    expect(textOf({ secretArn })).toContain(
      `{{resolve:secretsmanager:${secretArn}:SecretString:password::}}@`,
    );
    const password = `{{resolve:secretsmanager:${secretArn}:SecretString:::}}`;
    expect(JSON.parse(textOf({ secretArn, secretForm: 'password' }))).toEqual({
      url: `rediss://:${password}@cache.example.com:6380`,
      connectionString: `cache.example.com:6380,password=${password},ssl=true,abortConnect=false`,
    });
  });
});
