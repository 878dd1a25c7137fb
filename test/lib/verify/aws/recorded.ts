import type { AwsClients } from '../../../../lib/verify/aws/clients.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of four services
type Answers = Record<string, any>;

const rotated = new Date('2026-11-20T10:00:00Z');
const arn = 'arn:aws:ecs:us-east-1:123456789012:task/cluster-1';

const resource = (
  LogicalResourceId: string,
  ResourceType: string,
  PhysicalResourceId: string,
  at = rotated,
) => ({
  LogicalResourceId,
  ResourceType,
  PhysicalResourceId,
  LastUpdatedTimestamp: at,
  ResourceStatus: 'CREATE_COMPLETE',
});

/** What the services answer for a stack that is well, in the shapes of their APIs. */
export const wellAnswers = (): Answers => ({
  DescribeStacksCommand: {
    Stacks: [
      {
        StackName: 'realtime-prod',
        StackStatus: 'UPDATE_COMPLETE',
        Outputs: [{ OutputKey: 'Url', OutputValue: 'https://d111111abcdef8.cloudfront.net' }],
      },
    ],
  },
  ListStackResourcesCommand: {
    StackResourceSummaries: [
      resource('ClusterC2E21B66', 'AWS::ECS::Cluster', 'cluster-1'),
      resource('BackplaneCache1EE224EF', 'AWS::ElastiCache::ReplicationGroup', 'rea1abc'),
      resource('BackplaneUsersD1C4', 'AWS::ElastiCache::UserGroup', 'realtime-prod-users'),
      resource('BackplaneRedisUrlAC34099D', 'AWS::SSM::Parameter', '/realtime-stack/realtime-prod/redis-url'),
      resource(
        'BackplaneAppUserPasswordA16BA958FA',
        'AWS::SecretsManager::Secret',
        'arn:a',
        new Date('2026-10-01'),
      ),
      resource('BackplaneAppUserPasswordB20E41C7D2', 'AWS::SecretsManager::Secret', 'arn:b'),
      resource('AppAuthSecretC6AF8EA7', 'AWS::SecretsManager::Secret', 'arn:c', new Date('2026-10-01')),
    ],
  },
  GetTemplateCommand: {
    TemplateBody: JSON.stringify({
      Resources: {
        BackplaneCache1EE224EF: {
          Type: 'AWS::ElastiCache::ReplicationGroup',
          Properties: {
            MultiAZEnabled: true,
            AutomaticFailoverEnabled: true,
            TransitEncryptionEnabled: true,
            TransitEncryptionMode: 'required',
            AtRestEncryptionEnabled: true,
            ClusterMode: 'disabled',
            CacheNodeType: 'cache.m7g.large',
          },
        },
      },
    }),
    StagesAvailable: ['Original', 'Processed'],
  },
  DescribeReplicationGroupsCommand: {
    ReplicationGroups: [
      {
        ReplicationGroupId: 'rea1abc',
        Status: 'available',
        PendingModifiedValues: {},
        MemberClusters: ['rea1abc-001', 'rea1abc-002'],
        NodeGroups: [
          {
            NodeGroupId: '0001',
            Status: 'available',
            PrimaryEndpoint: { Address: 'master.rea1abc.x1.use1.cache.amazonaws.com', Port: 6379 },
            ReaderEndpoint: { Address: 'replica.rea1abc.x1.use1.cache.amazonaws.com', Port: 6379 },
            NodeGroupMembers: [
              { CacheClusterId: 'rea1abc-001', CacheNodeId: '0001', CurrentRole: 'primary' },
              { CacheClusterId: 'rea1abc-002', CacheNodeId: '0001', CurrentRole: 'replica' },
            ],
          },
        ],
        AutomaticFailover: 'enabled',
        MultiAZ: 'enabled',
        ClusterEnabled: false,
        ClusterMode: 'disabled',
        CacheNodeType: 'cache.m7g.large',
        TransitEncryptionEnabled: true,
        TransitEncryptionMode: 'required',
        AtRestEncryptionEnabled: true,
        UserGroupIds: ['realtime-prod-users'],
        Engine: 'valkey',
      },
    ],
  },
  GetParameterCommand: {
    Parameter: {
      Name: '/realtime-stack/realtime-prod/redis-url',
      Type: 'String',
      Value: 'rediss://master.rea1abc.x1.use1.cache.amazonaws.com:6379',
      Version: 1,
    },
  },
  DescribeUserGroupsCommand: {
    UserGroups: [
      {
        UserGroupId: 'realtime-prod-users',
        Status: 'active',
        Engine: 'valkey',
        UserIds: ['realtime-prod-default', 'realtime-prod-app'],
        ReplicationGroups: ['rea1abc'],
      },
    ],
  },
  DescribeUsersCommand: {
    Users: [
      {
        UserId: 'realtime-prod-default',
        UserName: 'default',
        Status: 'active',
        AccessString: 'off -@all',
        Authentication: { Type: 'password', PasswordCount: 1 },
      },
      {
        UserId: 'realtime-prod-app',
        UserName: 'app',
        Status: 'active',
        AccessString: 'on ~realtime-prod:* &realtime-prod:* -@all +ping',
        Authentication: { Type: 'password', PasswordCount: 2 },
      },
    ],
  },
  ListTasksCommand: { taskArns: [`${arn}/new`, `${arn}/other`] },
  DescribeTasksCommand: {
    tasks: [
      { taskArn: `${arn}/new`, lastStatus: 'RUNNING', startedAt: new Date('2026-11-20T10:05:00Z') },
      { taskArn: `${arn}/other`, lastStatus: 'PENDING' },
    ],
    failures: [],
  },
});

/** Clients that give these answers; one that is an Error is thrown. */
export function clientsOf(answers: Answers): AwsClients {
  const send = async (command: object) => {
    const answer = answers[command.constructor.name];
    if (answer instanceof Error) throw answer;
    if (answer === undefined) throw new Error(`nothing recorded for ${command.constructor.name}`);
    return answer;
  };
  const client = { send } as never;
  return { cloudFormation: client, elastiCache: client, ssm: client, ecs: client };
}
