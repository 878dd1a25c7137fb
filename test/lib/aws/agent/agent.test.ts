import { readSettings } from '../../../../livekit/agent/environment.ts';
import { readSettings as readSidecar } from '../../../../livekit/sidecar/environment.ts';
import { templateOf, variants } from '../stack-templates.ts';
import { type Json, resourcesOf } from '../synthesis.ts';

const template = templateOf(variants['own domain']);
const container = (task: Json, name: string): Json =>
  task.ContainerDefinitions.find(({ Name }: Json) => Name === name);
const task: Json = resourcesOf(template, 'AWS::ECS::TaskDefinition').find((each) => container(each, 'agent'));
const agent = container(task, 'agent');
const variablesOf = ({ Environment }: Json): Record<string, string> =>
  Object.fromEntries(Environment.map(({ Name, Value }: Json) => [Name, Value]));
const [id, created] = Object.entries(template.findResources('AWS::ECS::Service')).find(([name]) =>
  name.startsWith('AgentService'),
) as [string, Json];

test('the agent runs on Fargate, behind no load balancer, after LiveKit', () => {
  expect(task).toMatchObject({
    Cpu: '1024',
    Memory: '2048',
    RequiresCompatibilities: ['FARGATE'],
    RuntimePlatform: { CpuArchitecture: 'ARM64' },
  });
  expect(created.Properties).toMatchObject({
    LaunchType: 'FARGATE',
    DesiredCount: 2,
    AvailabilityZoneRebalancing: 'DISABLED',
    DeploymentConfiguration: { MinimumHealthyPercent: 100, MaximumPercent: 200 },
  });
  expect(created.Properties.LoadBalancers ?? []).toEqual([]);
  expect(created.DependsOn).toContainEqual(expect.stringMatching(/^LiveKitService/));
  expect(id).toMatch(/^AgentService/);
});

test('it understands its environment: no key of anybody’s model, and it ends before Fargate kills it', () => {
  const secrets = agent.Secrets.map(({ Name }: Json) => Name);
  expect(secrets.sort()).toEqual(['LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET']);
  const settings = readSettings({
    ...variablesOf(agent),
    LIVEKIT_API_KEY: 'realtime',
    LIVEKIT_API_SECRET: 'c'.repeat(64),
  });
  expect(settings).toMatchObject({
    url: 'wss://realtime.example.com',
    agentName: 'voice',
    port: 8081,
    drainFile: '/node/drain',
    voice: undefined,
  });
  expect(agent.StopTimeout).toBe(120);
  expect(settings.drainSeconds).toBeLessThan(agent.StopTimeout);
});

test('its health is asked for with patience: while LiveKit is away calls may come back', () => {
  expect(agent.HealthCheck.Command.join(' ')).toContain('http://127.0.0.1:8081/');
  expect(agent.HealthCheck).toMatchObject({ Interval: 30, Retries: 10 });
});

test('its sidecar watches its jobs and tells it to drain', () => {
  const sidecar = container(task, 'sidecar');
  const settings = readSidecar({
    ...variablesOf(sidecar),
    ECS_AGENT_URI: 'http://169.254.170.2/api/1',
    ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/1',
  });
  expect(settings).toMatchObject({
    service: 'agent',
    loadUrl: 'http://127.0.0.1:8081/worker',
    redis: undefined,
    folder: '/node',
    maxCallDrainMs: 3_600_000,
  });
  expect(agent.MountPoints).toEqual([{ SourceVolume: 'node', ContainerPath: '/node', ReadOnly: true }]);
  expect(agent.DependsOn).toEqual([{ ContainerName: 'sidecar', Condition: 'START' }]);
});

test('its tasks may be protected', () => {
  const role = task.TaskRoleArn['Fn::GetAtt'][0];
  const actions = resourcesOf(template, 'AWS::IAM::Policy')
    .filter(({ Roles }) => Roles.some(({ Ref }: Json) => Ref === role))
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    .flatMap(({ Action }) => Action);
  expect(actions.sort()).toEqual([
    'ecs:DescribeServices',
    'ecs:DescribeTasks',
    'ecs:GetTaskProtection',
    'ecs:UpdateTaskProtection',
  ]);
});

describe('with models', () => {
  const secretArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:voice-AbCdEf';
  const knobs = {
    liveKitNodes: 2,
    agentMode: 'voice',
    voiceApiSecretArn: secretArn,
    voiceApiUrl: 'https://models.example.com/v1',
    voiceLanguageModel: 'a-model',
    voiceName: 'ada',
    voiceInstructions: 'Speak of tea.\nBe brief.',
  };
  const talking: Json = resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition')
    .map((each) => container(each, 'agent'))
    .find((each) => each);

  test('it gets their key from the secret when it starts, and all else by name', () => {
    const key = talking.Secrets.find(({ Name }: Json) => Name === 'VOICE_API_KEY');
    expect(key.ValueFrom).toBe(secretArn);
    const { voice } = readSettings({
      ...variablesOf(talking),
      LIVEKIT_URL: 'wss://realtime.example.com',
      LIVEKIT_API_KEY: 'realtime',
      LIVEKIT_API_SECRET: 'c'.repeat(64),
      VOICE_API_KEY: 'the key',
    });
    expect(voice).toMatchObject({
      apiKey: 'the key',
      baseURL: knobs.voiceApiUrl,
      models: { 'language model': 'a-model' },
      voice: 'ada',
      instructions: knobs.voiceInstructions,
    });
  });

  test('its execution role may read that secret', () => {
    const policies = JSON.stringify(resourcesOf(templateOf(knobs), 'AWS::IAM::Policy'));
    expect(policies).toContain(secretArn);
  });
});

test('it scales on calls and CPU where it may, and is left out where nobody wants it', () => {
  const scaling = templateOf({ liveKitNodes: 2, agentTasks: 2, agentMaxTasks: 8, agentCallsPerTask: 7 });
  const [target] = resourcesOf(scaling, 'AWS::ApplicationAutoScaling::ScalableTarget');
  expect(target).toMatchObject({ MinCapacity: 2, MaxCapacity: 8 });
  const policies = resourcesOf(scaling, 'AWS::ApplicationAutoScaling::ScalingPolicy').map(
    ({ TargetTrackingScalingPolicyConfiguration: policy }) => policy,
  );
  expect(policies).toHaveLength(2);
  const [calls] = policies.filter(({ CustomizedMetricSpecification }) => CustomizedMetricSpecification);
  expect(calls).toMatchObject({
    TargetValue: 7,
    CustomizedMetricSpecification: {
      Namespace: 'RealtimeStack',
      MetricName: 'Jobs',
      Statistic: 'Average',
      Dimensions: [
        { Name: 'Deployment', Value: 'realtime-dev' },
        { Name: 'Service', Value: 'agent' },
      ],
    },
  });
  const without = Object.keys(templateOf({ liveKitNodes: 2, agentTasks: 0 }).toJSON().Resources);
  expect(without.filter((name) => name.startsWith('Agent'))).toEqual([]);
});
