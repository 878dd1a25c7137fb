import { readFileSync } from 'node:fs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { readEnvironment } from '../../../../app/server/environment.ts';
import { LiveKitKey } from '../../../../lib/aws/calls/livekit-key.ts';
import { Ec2Capacity } from '../../../../lib/aws/livekit/ec2-capacity.ts';
import { FargateCapacity } from '../../../../lib/aws/livekit/fargate-capacity.ts';
import { vCpusOf } from '../../../../lib/aws/livekit/host-size.ts';
import { LiveKit, type LiveKitProps } from '../../../../lib/aws/livekit/livekit.ts';
import { liveKitPaths } from '../../../../livekit/config/ports.ts';
import { readSettings } from '../../../../livekit/sidecar/environment.ts';
import { createLog } from '../../../../livekit/sidecar/log.ts';
import { watchedService } from '../../../../livekit/sidecar/names.ts';
import { templateOf, variants } from '../stack-templates.ts';
import { attributesOf, type Json, newPlace, newRedis, newStack, resourcesOf } from '../synthesis.ts';

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
const container = (name: string, of: Json = task): Json =>
  of.ContainerDefinitions.find(({ Name }: Json) => Name === name);

/** References as a name that says what they are. */
const resolved = (value: Json): string =>
  typeof value === 'string'
    ? value
    : value['Fn::Join']
      ? value['Fn::Join'][1].map(resolved).join('')
      : (value['Fn::GetAtt']?.[0] ?? value.Ref);
const variablesOf = (of: Json): Record<string, string> =>
  Object.fromEntries(of.Environment.map(({ Name, Value }: Json) => [Name, resolved(Value)]));
const secretsOf = (of: Json): Record<string, string> =>
  Object.fromEntries((of.Secrets ?? []).map(({ Name, ValueFrom }: Json) => [Name, resolved(ValueFrom)]));

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

  test('comes after the cluster’s capacity, the cache with its users, and the listener', () => {
    const [created] = Object.values(template.findResources('AWS::ECS::Service')).filter(
      ({ Properties }: Json) => Properties.CapacityProviderStrategy,
    ) as Json[];
    const [association] = Object.keys(
      template.findResources('AWS::ECS::ClusterCapacityProviderAssociations'),
    );
    expect(created.DependsOn).toContain(association);
    for (const part of [/^BackplaneUsers/, /^BackplaneLivekitUser/, /Listener|LiveKitRule/])
      expect(created.DependsOn).toContainEqual(expect.stringMatching(part));
  });

  test('reads the configuration that joins it with the others, as a user of its own', () => {
    const config = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
    expect(config).toMatchObject({
      port: 7880,
      rtc: { tcp_port: 7881, udp_port: '7882-7897', use_external_ip: false },
      redis: { username: 'livekit', tls: { enabled: true } },
      node_selector: { kind: 'cpuload' },
      webhook: { urls: ['https://realtime.example.com/api/livekit/webhook'], api_key: 'realtime' },
      turn: { enabled: true, domain: 'turn.realtime.example.com', tls_port: 5349, external_tls: true },
    });
    expect(config.redis.address).toMatch(/^BackplaneCache\w+:6379$/);
    const users = resourcesOf(template, 'AWS::ElastiCache::User');
    const { AccessString } = users.find(({ UserName }) => UserName === 'livekit');
    expect(AccessString).toMatch(/^on ~livekit_version ~nodes .* -@all \+ping/);
  });

  test('gets key and password when it starts, and makes LiveKit’s one variable of the keys', () => {
    expect(secretsOf(node)).toEqual({
      REDIS_PASSWORD: expect.stringMatching(/^BackplaneLivekitUserPassword.*:password::$/),
      LIVEKIT_API_KEY: expect.stringMatching(/^LiveKitKey.*:apiKey::$/),
      LIVEKIT_API_SECRET: expect.stringMatching(/^LiveKitKey.*:apiSecret::$/),
    });
    expect(node.EntryPoint).toEqual(['sh', '-c']);
    expect(node.Command[0]).toContain('export LIVEKIT_KEYS="$LIVEKIT_API_KEY: $LIVEKIT_API_SECRET"');
  });

  test('is checked by its port, cannot write its image, is not root, and has ten minutes to end', () => {
    expect(node).toMatchObject({
      HealthCheck: { Command: ['CMD-SHELL', 'nc -z 127.0.0.1 7880'] },
      User: '1000',
      ReadonlyRootFilesystem: true,
      StopTimeout: 600,
    });
  });

  test('asks for all but a little of its host’s processors, which its load is measured against', () => {
    expect(node.Cpu).toBe(4 * 1024 - 256);
    expect(node.Cpu + container('sidecar').Cpu).toBeLessThanOrEqual(4 * 1024);
  });
});

describe('its sidecar', () => {
  const sidecar = container('sidecar');

  test('starts first, and its end is not the node’s', () => {
    expect(container('livekit').DependsOn).toEqual([{ ContainerName: 'sidecar', Condition: 'START' }]);
    expect(sidecar).toMatchObject({ Essential: false, RestartPolicy: { Enabled: true } });
  });

  test('shares the node’s folder, and alone writes it', () => {
    const mounted = (name: string) => container(name).MountPoints;
    expect(mounted('sidecar')).toEqual([{ SourceVolume: 'node', ContainerPath: '/node', ReadOnly: false }]);
    expect(mounted('livekit')).toEqual([{ SourceVolume: 'node', ContainerPath: '/node', ReadOnly: true }]);
    expect(task.Volumes).toMatchObject([{ Name: 'node' }]);
  });

  test('understands its environment, and looks at the node’s own Redis', () => {
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

  test('may protect tasks and ask for them, of its own cluster, and nothing else', () => {
    const role = task.TaskRoleArn['Fn::GetAtt'][0];
    const policies = resourcesOf(template, 'AWS::IAM::Policy').filter(({ Roles }) =>
      Roles.some(({ Ref }: Json) => Ref === role),
    );
    const statements = policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
    expect(statements.map(({ Action, Resource }) => [[Action].flat().sort(), resolved(Resource)])).toEqual([
      [
        ['ecs:DescribeTasks', 'ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'],
        expect.stringMatching(/:task\/ClusterCluster\w+\/\*$|:task\/Cluster\w+\/\*$/),
      ],
      [['ecs:DescribeServices'], expect.stringMatching(/:service\/Cluster\w+\/\*$/)],
    ]);
  });
});

describe('on Fargate, as in dev', () => {
  const dev = templateOf({ liveKitNodes: 2 });
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

  test('a node takes what the sidecar leaves of the task, and ends within what Fargate gives', () => {
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

  test('the load balancer reaches them by address, media comes from anywhere', () => {
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
    expect(rules.flatMap(({ Conditions }) => Conditions)).toEqual([
      { Field: 'path-pattern', PathPatternConfig: { Values: [...liveKitPaths] } },
    ]);
  });

  test('is patient with nodes while Redis is away, takes one out at once, and sticks to none', () => {
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

test('the service knows where calls are, and gets the key that nodes have', () => {
  const app = resourcesOf(template, 'AWS::ECS::TaskDefinition').find((each) => container('app', each));
  const variables = variablesOf(container('app', app));
  const secrets = secretsOf(container('app', app));
  for (const name of ['LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET'])
    expect(secrets[name]).toBe(secretsOf(container('livekit'))[name]);
  const { livekit } = readEnvironment({
    ...variables,
    AUTH_SECRET: 'a'.repeat(32),
    SERVICE_TOKEN: 'b'.repeat(32),
    LIVEKIT_API_KEY: 'realtime',
    LIVEKIT_API_SECRET: 'c'.repeat(64),
  });
  expect(livekit).toMatchObject({
    url: 'wss://realtime.example.com',
    apiUrl: 'https://realtime.example.com',
  });
});

describe('the alarms of nodes that are alone, or strange', () => {
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
      createLog({
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

  test('one fires soon, and when nothing is written; the other when no task that ends can be the cause', () => {
    expect(alone).toMatchObject({ Threshold: 0, DatapointsToAlarm: 5, TreatMissingData: 'breaching' });
    expect(strange).toMatchObject({ Threshold: 0, TreatMissingData: 'notBreaching' });
    expect(strange.DatapointsToAlarm * 60).toBeGreaterThan(container('livekit').StopTimeout);
    expect(readFileSync('RUNBOOK.md', 'utf8')).toContain('\n## LiveKit nodes run alone\n');
  });

  test('neither is there where a node is alone by intent', () => {
    const single = templateOf({ backplane: 'none', liveKitNodes: 1, agentTasks: 0 });
    expect(alarmsIn(single)).toEqual([]);
    const config = variablesOf(container('livekit', liveKitOf(single).task)).LIVEKIT_CONFIG as string;
    expect(JSON.parse(config)).not.toHaveProperty('redis');
  });
});

test.each(['LiveKit', 'Agent'])(
  'the alarm of %s’s calls that ECS does not protect watches what its sidecars write, and has its article',
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
    expect(readFileSync('RUNBOOK.md', 'utf8')).toContain('\n## A deployment waits for calls\n');
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
  const existing = liveKitOf(
    templateOf({
      ...variants['existing Redis'],
      liveKitNodes: 2,
      publicSubnetIds: 'subnet-0000000e,subnet-0000000f',
    }),
  );
  const node = container('livekit', existing.task);
  const { redis } = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
  expect(redis.address).toBe('master.shared.abc123.use1.cache.amazonaws.com:6379');
  expect(redis.username).toMatch(/^\{\{resolve:secretsmanager:.*:username::\}\}$/);
  expect(secretsOf(node).REDIS_PASSWORD).toMatch(/redis-AbCdEf:password::$/);
});

test('where nodes scale, they do on CPU from two on, and a deployment sets no count', () => {
  const scaling = templateOf({ liveKitNodes: 2, liveKitMaxNodes: 6, agentTasks: 0 });
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

test('an image of one’s own is pulled from where it is', () => {
  const of = liveKitOf(
    templateOf({ liveKitNodes: 1, agentTasks: 0, liveKitImageUri: 'my.registry/livekit:1' }),
  );
  expect(container('livekit', of.task).Image).toBe('my.registry/livekit:1');
});

describe('what can’t work is refused', () => {
  function liveKit(props: Partial<LiveKitProps>, on: 'ec2' | 'fargate' = 'ec2') {
    const stack = newStack();
    const place = newPlace(stack);
    const cluster = new ecs.Cluster(stack, 'Cluster', { vpc: place.vpc });
    const instanceType = 'c7g.xlarge';
    const shared = { cluster, place, turn: false };
    return new LiveKit(stack, 'LiveKit', {
      cluster,
      capacity:
        on === 'ec2'
          ? new Ec2Capacity(stack, 'Ec2', { ...shared, nodes: 2, instanceType, terminationProtection: false })
          : new FargateCapacity(stack, 'Fargate', {
              ...shared,
              cpuArchitecture: 'arm64',
              cpu: 1024,
              memoryMiB: 2048,
            }),
      image: ecs.ContainerImage.fromRegistry('livekit'),
      sidecarImage: ecs.ContainerImage.fromRegistry('sidecar'),
      apiKey: new LiveKitKey(stack, 'Key', { removalPolicy: RemovalPolicy.DESTROY }),
      redis: {
        access: newRedis(stack),
        facts: { endpoints: [{ host: 'cache.example.com', port: 6379 }], tls: true },
      },
      minNodes: 2,
      maxNodes: 2,
      webhookUrl: 'https://realtime.example.com/hook',
      deployment: 'test',
      maxCallDrain: Duration.minutes(60),
      stopTimeout: Duration.minutes(10),
      logRetention: 7,
      removalPolicy: RemovalPolicy.DESTROY,
      ...props,
    });
  }

  test.each<[Partial<LiveKitProps>, string]>([
    [{ redis: undefined }, '`maxNodes` must be 1 without `redis`, got: 2'],
    [{ maxNodes: 1 }, '`maxNodes` must be `minNodes` (2) or more, got: 1'],
    [{ maxCallDrain: Duration.minutes(141) }, 'at most 150 minutes together, got: 141 + 10'],
  ])('%j', (props, message) => {
    expect(() => liveKit(props)).toThrow(message);
  });

  test('but the longest drain that CloudFormation waits for is not', () => {
    expect(() => liveKit({ maxCallDrain: Duration.minutes(140) })).not.toThrow();
    // Fargate ends a task after 2 minutes, whatever it is told.
    expect(() => liveKit({ maxCallDrain: Duration.minutes(148) }, 'fargate')).not.toThrow();
  });
});

test.each([
  ['c7g.medium', 1],
  ['t4g.medium', 2],
  ['c7g.large', 2],
  ['c7g.xlarge', 4],
  ['c7i-flex.16xlarge', 64],
])('%s has %i processors', (type, processors) => {
  expect(vCpusOf(type)).toBe(processors);
});
