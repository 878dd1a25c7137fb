import { execFileSync } from 'node:child_process';
import type { Template } from 'aws-cdk-lib/assertions';
import { parse } from 'yaml';
import { liveKitPaths } from '../../../livekit/config/ports.ts';
import { readSettings } from '../../../livekit/sidecar/environment.ts';
import { createLogger } from '../../../livekit/sidecar/logger.ts';
import { watchedService } from '../../../livekit/sidecar/names.ts';
import {
  attributesOf,
  containerOf,
  type Json,
  referenced,
  resourcesOf,
  variablesOf,
} from '../aws/synthesis.ts';
import { templateOf, variants } from './templates.ts';

const template = templateOf(variants['own domain']);
const liveKitOf = (of: Template) => {
  const [task, service] = ['AWS::ECS::TaskDefinition', 'AWS::ECS::Service'].map(
    (type) =>
      Object.entries(of.findResources(type)).find(([id]) => /^LiveKit(Task|Service)/.test(id))?.[1]
        .Properties as Json,
  );
  return { task, service };
};
const { task, service } = liveKitOf(template);
const container = (name: string, of: Json = task): Json => containerOf(of, name);
const secretsOf = (of: Json): Record<string, string> =>
  Object.fromEntries((of.Secrets ?? []).map(({ Name, ValueFrom }: Json) => [Name, referenced(ValueFrom)]));

describe('a node', () => {
  const node = container('livekit');

  test('has a host of its own and the host’s network', () => {
    expect(service).toMatchObject({
      DesiredCount: 2,
      CapacityProviderStrategy: [{ Weight: 1 }],
      PlacementConstraints: [{ Type: 'distinctInstance' }],
      AvailabilityZoneRebalancing: 'DISABLED',
      DeploymentConfiguration: {
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      },
    });
    expect(service.LaunchType).toBeUndefined();
    expect(node.PortMappings).toEqual(
      [7880, 7881, 5349].map((port) => ({ ContainerPort: port, HostPort: port, Protocol: 'tcp' })),
    );
  });

  test('is created after the cluster’s capacity, the cache with its users, and the listener', () => {
    const [created] = Object.values(template.findResources('AWS::ECS::Service')).filter(
      ({ Properties }: Json) => Properties.CapacityProviderStrategy,
    ) as Json[];
    const [association] = Object.keys(
      template.findResources('AWS::ECS::ClusterCapacityProviderAssociations'),
    );
    expect(created.DependsOn).toContain(association);
    for (const part of [/^RedisUsers/, /^RedisUsersLivekitUser/, /Listener|LiveKitRule/])
      expect(created.DependsOn).toContainEqual(expect.stringMatching(part));
  });

  test('reads the configuration that connects it with the others, as a user of its own', () => {
    const config = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
    expect(config).toMatchObject({
      port: 7880,
      rtc: { tcp_port: 7881, udp_port: '7882-7897', use_external_ip: false },
      redis: { username: 'livekit', tls: { enabled: true } },
      node_selector: { kind: 'cpuload' },
      webhook: {
        urls: [expect.stringMatching(/^http:\/\/EdgeInternalPrivateLoadBalancer\w+\/api\/livekit\/webhook$/)],
        api_key: 'realtime-1',
      },
      turn: { enabled: true, domain: 'turn.realtime.example.com', tls_port: 5349, external_tls: true },
    });
    expect(config.redis.address).toMatch(/^RedisCache\w+:6379$/);
    const users = resourcesOf(template, 'AWS::ElastiCache::User');
    const { AccessString } = users.find(({ UserName }) => UserName === 'livekit');
    expect(AccessString).toMatch(/^on ~livekit_version ~nodes .* -@all \+ping/);
  });

  test('gets key and password when it starts, and combines the keys into LiveKit’s variable', () => {
    expect(secretsOf(node)).toEqual({
      REDIS_PASSWORD: expect.stringMatching(/^RedisUsersLivekitUserPassword.*:password::$/),
      LIVEKIT_API_SECRET_PREVIOUS: expect.stringMatching(/^LiveKitKeyVersion0.*:apiSecret::$/),
      LIVEKIT_API_SECRET: expect.stringMatching(/^LiveKitKeyVersion1.*:apiSecret::$/),
      LIVEKIT_API_SECRET_NEXT: expect.stringMatching(/^LiveKitKeyVersion2.*:apiSecret::$/),
    });
    expect(node.EntryPoint).toEqual(['sh', '-c']);
    const script = `${node.Command[0].split('\nunset')[0]}\nprintf %s "$LIVEKIT_KEYS"`;
    const keys = execFileSync('sh', ['-c', script], {
      env: { LIVEKIT_API_SECRET_PREVIOUS: 'a', LIVEKIT_API_SECRET: 'b', LIVEKIT_API_SECRET_NEXT: 'c' },
      encoding: 'utf8',
    });
    expect(parse(keys)).toEqual({ 'realtime-0': 'a', 'realtime-1': 'b', 'realtime-2': 'c' });
  });

  test('is checked by its port, can’t write its image, is not root, and has ten minutes to end', () => {
    expect(node).toMatchObject({
      HealthCheck: { Command: ['CMD-SHELL', 'nc -z 127.0.0.1 7880'] },
      User: '1000',
      ReadonlyRootFilesystem: true,
      StopTimeout: 600,
    });
  });

  test('reserves almost all of its host’s CPU, against which its load is measured', () => {
    expect(node.Cpu).toBe(4 * 1024 - 256);
    expect(node.Cpu + container('sidecar').Cpu).toBeLessThanOrEqual(4 * 1024);
  });
});

describe('its sidecar', () => {
  const sidecar = container('sidecar');

  test('starts first, and does not end the node when it ends', () => {
    expect(container('livekit').DependsOn).toEqual([{ ContainerName: 'sidecar', Condition: 'START' }]);
    expect(sidecar).toMatchObject({
      Essential: false,
      RestartPolicy: { Enabled: true, RestartAttemptPeriod: 60 },
    });
  });

  test('shares a folder with the node, and only the sidecar writes it', () => {
    const mounted = (name: string) => container(name).MountPoints;
    expect(mounted('sidecar')).toEqual([{ SourceVolume: 'node', ContainerPath: '/node', ReadOnly: false }]);
    expect(mounted('livekit')).toEqual([{ SourceVolume: 'node', ContainerPath: '/node', ReadOnly: true }]);
    expect(task.Volumes).toMatchObject([{ Name: 'node' }]);
  });

  test('understands its environment, and reads the node’s own Redis', () => {
    const settings = readSettings({
      ...variablesOf(sidecar),
      ...secretsOf(sidecar),
      ECS_AGENT_URI: 'http://169.254.170.2/api/1',
      ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/1',
    });
    expect(settings).toMatchObject({
      service: 'livekit',
      addressSource: 'imds',
      maxCallDrainMs: 3_600_000,
      deployment: 'realtime-prod',
      redis: { port: 6379, username: 'livekit', tls: {} },
    });
    expect(variablesOf(sidecar).LIVEKIT_CONFIG).toBe(variablesOf(container('livekit')).LIVEKIT_CONFIG);
  });

  test('may protect and describe tasks of its own cluster, and nothing else', () => {
    const role = task.TaskRoleArn['Fn::GetAtt'][0];
    const policies = resourcesOf(template, 'AWS::IAM::Policy').filter(({ Roles }) =>
      Roles.some(({ Ref }: Json) => Ref === role),
    );
    const statements = policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
    expect(statements.map(({ Action, Resource }) => [[Action].flat().sort(), referenced(Resource)])).toEqual([
      [
        ['ecs:DescribeTasks', 'ecs:UpdateTaskProtection'],
        expect.stringMatching(/:task\/ClusterCluster\w+\/\*$|:task\/Cluster\w+\/\*$/),
      ],
      [['ecs:DescribeServices'], expect.stringMatching(/:service\/Cluster\w+\/\*$/)],
    ]);
  });
});

describe('on Fargate, as in dev', () => {
  const dev = templateOf(variants['LiveKit on Fargate']);
  const { task, service } = liveKitOf(dev);

  test('nodes have addresses of their own, which their sidecars learn from outside', () => {
    expect(service).toMatchObject({
      LaunchType: 'FARGATE',
      DesiredCount: 2,
      AvailabilityZoneRebalancing: 'DISABLED',
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'ENABLED' } },
    });
    expect(variablesOf(container('sidecar', task)).PUBLIC_ADDRESS).toBe('checkip');
    expect(resourcesOf(dev, 'AWS::AutoScaling::AutoScalingGroup')).toEqual([]);
  });

  test('a node gets what the sidecar leaves of the task, and ends within Fargate’s limit', () => {
    expect(task).toMatchObject({
      Cpu: '512',
      Memory: '1024',
      NetworkMode: 'awsvpc',
      RequiresCompatibilities: ['FARGATE'],
      RuntimePlatform: { CpuArchitecture: 'ARM64' },
    });
    const node = container('livekit', task);
    expect(node.Cpu + container('sidecar', task).Cpu).toBe(512);
    expect(node.MemoryReservation + container('sidecar', task).MemoryReservation).toBe(1024);
    expect(node.StopTimeout).toBe(120);
  });

  test('the load balancer reaches them by address, and media is admitted from anywhere', () => {
    const group = resourcesOf(dev, 'AWS::ElasticLoadBalancingV2::TargetGroup').find(
      ({ Port }) => Port === 7880,
    );
    expect(group).toMatchObject({ TargetType: 'ip', Matcher: { HttpCode: '200,406' } });
    const nodes = resourcesOf(dev, 'AWS::EC2::SecurityGroup').find(({ GroupDescription }) =>
      GroupDescription.startsWith('LiveKit'),
    );
    expect(nodes.SecurityGroupIngress.map(({ FromPort, ToPort }: Json) => [FromPort, ToPort])).toEqual([
      [7882, 7897],
      [7881, 7881],
    ]);
  });
});

describe('the load balancer', () => {
  test.each(['own domain', 'everything on'] as const)('sends LiveKit’s paths to the hosts: %s', (name) => {
    const rules = resourcesOf(templateOf(variants[name]), 'AWS::ElasticLoadBalancingV2::ListenerRule');
    // Clients and, where that is another load balancer, the deployment itself find the nodes under the same paths.
    const count = name === 'own domain' ? 2 : 1;
    expect(rules.flatMap(({ Conditions }) => Conditions)).toEqual(
      Array(count).fill({ Field: 'path-pattern', PathPatternConfig: { Values: [...liveKitPaths] } }),
    );
  });

  test('is patient with nodes while Redis is unavailable, deregisters quickly, and is not sticky', () => {
    const group = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::TargetGroup').find(
      ({ Port }) => Port === 7880,
    );
    expect(group).toMatchObject({
      TargetType: 'instance',
      HealthCheckPath: '/',
      Matcher: { HttpCode: '200,406' },
      HealthCheckIntervalSeconds: 30,
      UnhealthyThresholdCount: 10,
    });
    expect(attributesOf(group.TargetGroupAttributes)).toMatchObject({
      'deregistration_delay.timeout_seconds': '30',
      'stickiness.enabled': 'false',
    });
  });
});

describe('the alarms of nodes that run alone, or that are strangers', () => {
  const alarmsIn = (of: Template): Json[] =>
    resourcesOf(of, 'AWS::CloudWatch::Alarm').filter(({ AlarmDescription = '' }) =>
      AlarmDescription.includes('LiveKit nodes run alone'),
    );
  const [alone, strange] = alarmsIn(template);

  test.each([
    ['alone', alone, 'tasks - nodes'],
    ['strange', strange, 'nodes - tasks'],
  ])(
    '%s: it compares what the sidecars write: same names, dimensions and namespace',
    (_, alarm, difference) => {
      expect(alarm.Metrics[0].Expression).toBe(difference);
      const lines: string[] = [];
      const { EMF_NAMESPACE: namespace, DEPLOYMENT } = variablesOf(container('sidecar'));
      createLogger({
        namespace,
        dimensions: { Deployment: DEPLOYMENT as string, Service: 'livekit' },
        write: (line) => lines.push(line),
      }).metrics({ LiveNodes: 2, RunningTasks: 2 });
      const line = JSON.parse(lines[0] as string);
      const [{ Namespace, Dimensions, Metrics }] = line._aws.CloudWatchMetrics;
      const written = Metrics.map(({ Name }: Json) => ({
        Namespace,
        MetricName: Name,
        Dimensions: Dimensions[0].map((name: string) => ({ Name: name, Value: line[name] })),
      }));
      const stats = alarm.Metrics.flatMap(({ MetricStat }: Json) => MetricStat ?? []);
      expect(stats.map(({ Metric, Stat }: Json) => [Metric.MetricName, Stat]).sort()).toEqual([
        ['LiveNodes', 'Minimum'],
        ['RunningTasks', 'Maximum'],
      ]);
      for (const { Metric } of stats) expect(written).toContainEqual(Metric);
    },
  );

  test('one fires soon, and without data; the other only when no stopping task can be the cause', () => {
    expect(alone).toMatchObject({ Threshold: 0, DatapointsToAlarm: 5, TreatMissingData: 'breaching' });
    expect(strange).toMatchObject({ Threshold: 0, TreatMissingData: 'notBreaching' });
    expect(strange.DatapointsToAlarm * 60).toBeGreaterThan(container('livekit').StopTimeout);
  });

  test('do not exist if one node runs alone on purpose', () => {
    const single = templateOf({ backplane: 'none', liveKitNodes: 1, agentTasks: 0 });
    expect(alarmsIn(single)).toEqual([]);
    const config = variablesOf(container('livekit', liveKitOf(single).task)).LIVEKIT_CONFIG as string;
    expect(JSON.parse(config)).not.toHaveProperty('redis');
  });
});

test('what the owner sets stands beside what the stack sets', () => {
  const liveKitSettings = {
    departureTimeoutSeconds: 90,
    maxVideoSubscriptions: 9,
    webhookUrls: ['https://billing.example.com/calls'],
  };
  const node = container(
    'livekit',
    liveKitOf(templateOf({ ...variants['own domain'], liveKitSettings })).task,
  );
  const config = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
  expect(config).toMatchObject({
    port: 7880,
    room: { departure_timeout: 90 },
    limit: { subscription_limit_video: 9 },
    webhook: { urls: [expect.stringContaining('/api/livekit/webhook'), 'https://billing.example.com/calls'] },
  });
});

test.each(['LiveKit', 'Agent'])(
  'the alarm of %s’s calls that ECS does not protect reads what its sidecars write',
  (name) => {
    const alarm: Json = Object.entries(template.findResources('AWS::CloudWatch::Alarm')).find(([id]) =>
      id.startsWith(`Observability${name}CallsUnprotected`),
    )?.[1].Properties;
    expect(alarm).toMatchObject({
      Namespace: 'RealtimeStack',
      MetricName: 'DeploymentBlocked',
      Statistic: 'Maximum',
      Dimensions: [
        { Name: 'Deployment', Value: 'realtime-prod' },
        { Name: 'Service', Value: watchedService[name === 'Agent' ? 'agent' : 'node'] },
      ],
      Threshold: 0,
      TreatMissingData: 'notBreaching',
    });
    expect(alarm.AlarmDescription).toContain('RUNBOOK.md: "A deployment waits for calls"');
  },
);

test.each([
  ['LiveKit', 'livekit'],
  ['Agent', 'agent'],
])('fewer tasks of %s than the least are an alarm, and so is silence', (name, service) => {
  const shortage = Object.entries(template.findResources('AWS::CloudWatch::Alarm')).find(([id]) =>
    id.startsWith(`Observability${name}Shortage`),
  )?.[1].Properties as Json;
  expect(shortage).toMatchObject({
    MetricName: 'RunningTasks',
    Dimensions: [{ Name: 'Deployment' }, { Name: 'Service', Value: service }],
    Threshold: 2,
    ComparisonOperator: 'LessThanThreshold',
    TreatMissingData: 'breaching',
  });
});

test('in an existing Redis it logs in with the name and the password of the owner’s secret', () => {
  const existing = liveKitOf(templateOf(variants['existing Redis']));
  const node = container('livekit', existing.task);
  const { redis } = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
  expect(redis.address).toBe('master.shared.abc123.use1.cache.amazonaws.com:6379');
  expect(redis.username).toMatch(/^\{\{resolve:secretsmanager:.*:username::\}\}$/);
  expect(secretsOf(node).REDIS_PASSWORD).toMatch(/redis-AbCdEf:password::$/);
});

test('where the owner’s secret is a password and nothing else, it refers to no field of it', () => {
  const knobs = { ...variants['existing Redis'], redisSecretForm: 'password' };
  const node = container('livekit', liveKitOf(templateOf(knobs)).task);
  const { redis } = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
  expect(redis).not.toHaveProperty('username');
  expect(secretsOf(node).REDIS_PASSWORD).toBe(knobs.redisSecretArn);
  const references = JSON.stringify(templateOf(knobs).toJSON()).match(/redis-AbCdEf:[^"}]+/g) ?? [];
  expect(references).toEqual([]);
});

test('if nodes scale, they scale on CPU, and a deployment sets no count', () => {
  const scaling = templateOf(variants['everything on']);
  expect(liveKitOf(scaling).service).not.toHaveProperty('DesiredCount');
  const [target] = resourcesOf(scaling, 'AWS::ApplicationAutoScaling::ScalableTarget').filter(
    ({ ResourceId }) => JSON.stringify(ResourceId).includes('LiveKit'),
  );
  expect(target).toMatchObject({ MinCapacity: 2, MaxCapacity: 6 });
  const policies = JSON.stringify(resourcesOf(scaling, 'AWS::ApplicationAutoScaling::ScalingPolicy'));
  expect(policies).toContain('ECSServiceAverageCPUUtilization');
});

test('without LiveKit there is none of it', () => {
  const ids = Object.keys(templateOf({ environment: 'prod' }).toJSON().Resources);
  expect(ids.filter((id) => /LiveKit|Livekit|^Agent/.test(id))).toEqual([]);
});
