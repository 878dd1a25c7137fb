import type { Service, Task } from '@aws-sdk/client-ecs';
import { type EmfLine, sidecarLine } from './sidecar-line.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of five services
export type Answers = Record<string, any>;

/** When they were asked. */
export const now = new Date('2026-11-20T12:00:30Z');
export const ago = (minutes: number, seconds = 0) =>
  new Date(now.getTime() - (minutes * 60 + seconds) * 1_000);

const rotated = new Date('2026-11-20T10:00:00Z');
const ecs = 'arn:aws:ecs:us-east-1:123456789012';

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
  'cloudformation:DescribeStacks': {
    Stacks: [
      {
        StackName: 'realtime-prod',
        StackStatus: 'UPDATE_COMPLETE',
        Outputs: [{ OutputKey: 'Url', OutputValue: 'https://d111111abcdef8.cloudfront.net' }],
      },
    ],
  },
  'cloudformation:ListStackResources': {
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
      resource('AppRealtimeServiceFA3E1B38', 'AWS::ECS::Service', `${ecs}:service/cluster-1/app-1`),
      resource('LiveKitServiceD6AB6A3B', 'AWS::ECS::Service', `${ecs}:service/cluster-1/livekit-1`),
      resource('LiveKitLogs2AC015F3', 'AWS::Logs::LogGroup', 'livekit-logs-1'),
      resource('AgentServiceF2D3C3B9', 'AWS::ECS::Service', `${ecs}:service/cluster-1/agent-1`),
      resource('AgentLogsB327B8A3', 'AWS::Logs::LogGroup', 'agent-logs-1'),
    ],
  },
  'cloudformation:GetTemplate': {
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
  'elasticache:DescribeReplicationGroups': {
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
  'ssm:GetParameter': {
    Parameters: [
      {
        Name: '/realtime-stack/realtime-prod/redis-url',
        Type: 'String',
        Value: 'rediss://master.rea1abc.x1.use1.cache.amazonaws.com:6379',
        Version: 1,
      },
    ],
  },
  'elasticache:DescribeUserGroups': {
    UserGroups: [
      {
        UserGroupId: 'realtime-prod-users',
        Status: 'active',
        Engine: 'valkey',
        UserIds: ['realtime-prod-default', 'realtime-prod-app'],
      },
    ],
  },
  'elasticache:DescribeUsers': {
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
  'ecs:DescribeTasks': {
    tasks: [
      task('app-1', 'new', { startedAt: new Date('2026-11-20T10:05:00Z') }),
      task('app-1', 'other', { lastStatus: 'PENDING' }),
      task('livekit-1', 'node-1', { startedAt: ago(60) }),
      task('livekit-1', 'node-2', { startedAt: ago(60) }),
      task('agent-1', 'worker-1', { startedAt: ago(60) }),
      task('agent-1', 'worker-2', { startedAt: ago(60) }),
    ],
    failures: [],
  },
  'ecs:DescribeServices': { services: [service('livekit-1'), service('agent-1')], failures: [] },
  /** What CloudWatch has of the last twenty minutes: lines of the sidecars' logs. */
  'cloudwatch:GetMetricData': { lines: minutesOf(20).flatMap(linesOf) },
});

/** Gives the stack a cluster of three shards beside the cache, which is LiveKit's then. */
export function addShards(answers: Answers): void {
  const id = 'rer2def';
  const endpoint = `clustercfg.${id}.x1.use1.cache.amazonaws.com`;
  const url = '/realtime-stack/realtime-prod/redis-shards-of-2-url';
  answers['cloudformation:ListStackResources'].StackResourceSummaries.push(
    resource('RedisShardsOf2Cache1EE224EF', 'AWS::ElastiCache::ReplicationGroup', id),
    resource('RedisShardsOf2RedisUrlAC34099D', 'AWS::SSM::Parameter', url),
  );
  const template = JSON.parse(answers['cloudformation:GetTemplate'].TemplateBody);
  const { Properties } = template.Resources.BackplaneCache1EE224EF;
  template.Resources.RedisShardsOf2Cache1EE224EF = {
    Type: 'AWS::ElastiCache::ReplicationGroup',
    Properties: { ...Properties, ClusterMode: 'enabled', NumNodeGroups: 3, ReplicasPerNodeGroup: 1 },
  };
  answers['cloudformation:GetTemplate'].TemplateBody = JSON.stringify(template);
  answers['ssm:GetParameter'].Parameters.push({
    Name: url,
    Type: 'String',
    Value: `rediss://${endpoint}:6379`,
    Version: 1,
  });
  const groups = answers['elasticache:DescribeReplicationGroups'].ReplicationGroups;
  groups.push({
    ...groups[0],
    ReplicationGroupId: id,
    ClusterEnabled: true,
    ClusterMode: 'enabled',
    ConfigurationEndpoint: { Address: endpoint, Port: 6379 },
    MemberClusters: ['0001', '0002', '0003'].flatMap((shard) => [`${id}-${shard}-001`, `${id}-${shard}-002`]),
    // In cluster mode ElastiCache names neither the primary nor an endpoint of it.
    NodeGroups: ['0001', '0002', '0003'].map((shard) => ({
      NodeGroupId: shard,
      Status: 'available',
      Slots: '0-5461',
      NodeGroupMembers: ['001', '002'].map((node) => ({
        CacheClusterId: `${id}-${shard}-${node}`,
        CacheNodeId: '0001',
      })),
    })),
  });
}

/** A task of a service, as it runs. */
export function task(serviceName: string, id: string, more: Task = {}): Task {
  return {
    taskArn: `${ecs}:task/cluster-1/${id}`,
    clusterArn: `${ecs}:cluster/cluster-1`,
    group: `service:${serviceName}`,
    startedBy: 'ecs-svc/1',
    desiredStatus: 'RUNNING',
    lastStatus: 'RUNNING',
    ...more,
  };
}

/** A service with two tasks, deployed an hour ago. */
function service(serviceName: string): Service {
  return {
    serviceArn: `${ecs}:service/cluster-1/${serviceName}`,
    serviceName,
    clusterArn: `${ecs}:cluster/cluster-1`,
    status: 'ACTIVE',
    desiredCount: 2,
    runningCount: 2,
    pendingCount: 0,
    deployments: [
      {
        id: 'ecs-svc/1',
        status: 'PRIMARY',
        taskDefinition: `${ecs}:task-definition/${serviceName}:1`,
        desiredCount: 2,
        pendingCount: 0,
        runningCount: 2,
        failedTasks: 0,
        createdAt: ago(62),
        updatedAt: ago(58),
        rolloutState: 'COMPLETED',
        rolloutStateReason: 'ECS deployment ecs-svc/1 completed.',
      },
    ],
    events: [
      { id: '1', createdAt: ago(58), message: `(service ${serviceName}) has reached a steady state.` },
    ],
  };
}

const minutesOf = (count: number) => Array.from({ length: count }, (_, minute) => minute);

/** Two nodes and two workers, each once a minute. */
function linesOf(minute: number): EmfLine[] {
  const common = { RunningTasks: 2, Protected: 0, DeploymentBlocked: 0 };
  return [5, 20].flatMap((seconds) => [
    sidecarLine(ago(minute, seconds), 'livekit', { LiveNodes: 2, Participants: 0, ...common }),
    sidecarLine(ago(minute, seconds), 'agent', { Jobs: 0, ...common }),
  ]);
}
