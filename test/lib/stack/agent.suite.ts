import { readSettings } from '../../../livekit/agent/environment.ts';
import { readSettings as readSidecar } from '../../../livekit/sidecar/environment.ts';
import { containerOf as container, type Json, resourcesOf, variablesOf } from '../aws/synthesis.ts';
import { templateOf, variants } from './templates.ts';

const template = templateOf(variants['own domain']);
const task: Json = resourcesOf(template, 'AWS::ECS::TaskDefinition').find((each) => container(each, 'agent'));
const agent = container(task, 'agent');
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

test('it understands its environment, needs no key of a model, and ends before Fargate kills it', () => {
  const secrets = agent.Secrets.map(({ Name }: Json) => Name);
  expect(secrets.sort()).toEqual(['LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET']);
  const settings = readSettings({
    ...variablesOf(agent),
    LIVEKIT_API_KEY: 'realtime',
    LIVEKIT_API_SECRET: 'c'.repeat(64),
  });
  expect(settings).toMatchObject({
    url: expect.stringMatching(/^ws:\/\/edgeinternalprivateloadbalancer/i),
    agentName: 'voice',
    port: 8081,
    drainFile: '/node/drain',
    voice: undefined,
  });
  expect(agent.StopTimeout).toBe(120);
  expect(settings.drainSeconds).toBeLessThan(agent.StopTimeout);
});

test('it can’t write its file system, unless a worker of another kind has to', () => {
  expect(agent).toMatchObject({ User: '1000', ReadonlyRootFilesystem: true });
});

test('its health check is patient: while LiveKit is unavailable, calls may come back', () => {
  expect(agent.HealthCheck.Command.join(' ')).toContain('http://127.0.0.1:8081/');
  expect(agent.HealthCheck).toMatchObject({ Interval: 30, Retries: 10 });
});

test('its sidecar counts its jobs and makes it drain', () => {
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
  expect(actions.sort()).toEqual(['ecs:DescribeServices', 'ecs:DescribeTasks', 'ecs:UpdateTaskProtection']);
});

describe('with models', () => {
  const knobs = variants['everything on'];
  const secretArn = knobs.voiceApiSecretArn;
  const talking: Json = resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition')
    .map((each) => container(each, 'agent'))
    .find((each) => each);

  test('it gets the API’s key from the secret when it starts, and all else by name', () => {
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

test('it may be any worker: with a check, variables and secrets of its own', () => {
  const python: Json = resourcesOf(templateOf(variants['images of a pipeline']), 'AWS::ECS::TaskDefinition')
    .map((each) => container(each, 'agent'))
    .find((each) => each);
  expect(python.HealthCheck.Command).toEqual(['CMD-SHELL', expect.stringContaining('python3 -c')]);
  expect(variablesOf(python)).toMatchObject({ STYLE: 'brief', LIVEKIT_URL: expect.stringMatching(/^ws:/) });
  expect(python.Secrets.find(({ Name }: Json) => Name === 'MODEL_KEY').ValueFrom).toBe(
    `${variants['images of a pipeline'].agentSecrets.MODEL_KEY}::`,
  );
});

test('it scales on calls and CPU if it may', () => {
  const template = templateOf(variants['everything on']);
  const ofAgent = (type: string) =>
    Object.entries(template.findResources(type)).flatMap(([name, { Properties }]: [string, Json]) =>
      name.startsWith('Agent') ? [Properties] : [],
    );
  expect(ofAgent('AWS::ApplicationAutoScaling::ScalableTarget')).toMatchObject([
    { MinCapacity: 2, MaxCapacity: 8 },
  ]);
  const policies = ofAgent('AWS::ApplicationAutoScaling::ScalingPolicy').map(
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
});

test('there is none without tasks for it', () => {
  const ids = Object.keys(templateOf({ liveKitNodes: 2, agentTasks: 0 }).toJSON().Resources);
  expect(ids.filter((name) => name.startsWith('Agent'))).toEqual([]);
});

test('in a new VPC its media passes no NAT gateway; in one that exists it is placed as other tasks are', () => {
  const placedIn = (knobs: Json): Json =>
    Object.entries(templateOf(knobs).findResources('AWS::ECS::Service')).find(([name]) =>
      name.startsWith('AgentService'),
    )?.[1].Properties.NetworkConfiguration.AwsvpcConfiguration;
  const { AssignPublicIp, Subnets } = placedIn(variants['own domain']);
  expect(AssignPublicIp).toBe('ENABLED');
  for (const { Ref } of Subnets) expect(Ref).toMatch(/^NetworkVpcPublicSubnet/);
  expect(placedIn(variants['existing Redis'])).toMatchObject({
    AssignPublicIp: 'DISABLED',
    Subnets: ['subnet-0000000a', 'subnet-0000000b'],
  });
});
