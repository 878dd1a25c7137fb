import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { readEnvironment } from '../../../../app/server/environment.ts';
import { App, type AppProps } from '../../../../lib/aws/app/app.ts';
import { RealtimeService, type RealtimeServiceProps } from '../../../../lib/aws/app/realtime-service.ts';
import { Cluster } from '../../../../lib/aws/cluster/cluster.ts';
import { existingImage } from '../../../../lib/aws/cluster/image.ts';
import { imageUri, type Json, newPlace, newRedis, newStack, resourcesOf, warningsOf } from '../synthesis.ts';

describe('any realtime container', () => {
  function service(props: Partial<RealtimeServiceProps> = {}) {
    const stack = newStack();
    const place = newPlace(stack);
    new RealtimeService(stack, 'Service', {
      cluster: new ecs.Cluster(stack, 'Cluster', { vpc: place.vpc }),
      place,
      image: ecs.ContainerImage.fromRegistry('public.ecr.aws/team/hub:1.0'),
      cpuArchitecture: 'arm64',
      cpu: 512,
      memoryMiB: 1024,
      port: 8080,
      minTasks: 3,
      redis: newRedis(stack),
      logRetention: 30,
      removalPolicy: RemovalPolicy.DESTROY,
      ...props,
    });
    const template = Template.fromStack(stack);
    const [task] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
    const [created] = resourcesOf(template, 'AWS::ECS::Service');
    return { stack, place, template, task, service: created, container: task.ContainerDefinitions[0] };
  }

  const alone: Partial<RealtimeServiceProps> = { minTasks: 1, redis: undefined };

  test('the task runs on Fargate, on the processor and in the size that it was given', () => {
    expect(service().task).toMatchObject({
      Cpu: '512',
      Memory: '1024',
      NetworkMode: 'awsvpc',
      RequiresCompatibilities: ['FARGATE'],
      RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
    });
    expect(service({ cpuArchitecture: 'x86_64' }).task.RuntimePlatform.CpuArchitecture).toBe('X86_64');
  });

  test('the container cannot write its image, is not root, and has time to drain', () => {
    expect(service().container).toMatchObject({
      ReadonlyRootFilesystem: true,
      User: '1000',
      StopTimeout: 120,
      PortMappings: [{ ContainerPort: 8080, Protocol: 'tcp' }],
    });
  });

  test('any program finds Redis in the two variables that it may know, as secrets', () => {
    const { container } = service();
    expect(container.Environment ?? []).toEqual([]);
    const [url, connectionString] = container.Secrets;
    expect(url).toMatchObject({ Name: 'REDIS_URL' });
    expect(JSON.stringify(url.ValueFrom)).toContain(':url::');
    expect(connectionString).toMatchObject({ Name: 'ConnectionStrings__Redis' });
    expect(JSON.stringify(connectionString.ValueFrom)).toContain(':connectionString::');
  });

  test('a deployment keeps every task until its successor is healthy, and undoes itself', () => {
    expect(service().service).toMatchObject({
      DesiredCount: 3,
      DeploymentConfiguration: {
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      },
      AvailabilityZoneRebalancing: 'DISABLED',
      PropagateTags: 'SERVICE',
    });
  });

  test('where it scales, a deployment sets no count', () => {
    expect(service({ maxTasks: 6 }).service).not.toHaveProperty('DesiredCount');
  });

  test('without Redis there are never two tasks at once, and synth warns', () => {
    const { stack, service: created, container } = service(alone);
    expect(created.DeploymentConfiguration).toMatchObject({ MinimumHealthyPercent: 0, MaximumPercent: 100 });
    expect(container.Secrets ?? []).toEqual([]);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('realtime-stack:single-instance')]);
  });

  test.each([
    { ...alone, minTasks: 2 },
    { ...alone, maxTasks: 2 },
  ])('several tasks without Redis are refused', (props) => {
    expect(() => service(props)).toThrow('`minTasks` and `maxTasks` must be 1 without `redis`, got: 2');
  });

  test('tasks stand in the private subnets, without public addresses', () => {
    const { stack, place, service: created } = service();
    expect(created.NetworkConfiguration.AwsvpcConfiguration).toMatchObject({
      AssignPublicIp: 'DISABLED',
      Subnets: stack.resolve(place.vpc.privateSubnets.map(({ subnetId }) => subnetId)),
    });
  });

  test('ECS Exec, whose agent writes, takes the read-only file system away', () => {
    const { service: created, container } = service({ ecsExec: true });
    expect(created.EnableExecuteCommand).toBe(true);
    expect(container.ReadonlyRootFilesystem).toBe(false);
    expect(service().service.EnableExecuteCommand).toBe(false);
  });

  test('nothing reaches a task until something is joined to it, and it reaches HTTPS and Redis alone', () => {
    const { template } = service();
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
    const [group] = resourcesOf(template, 'AWS::EC2::SecurityGroup');
    expect(group.SecurityGroupEgress.map(({ FromPort, ToPort }: never) => [FromPort, ToPort])).toEqual([
      [443, 443],
      [6379, 6379],
    ]);
  });

  test('the log is kept as long as it was told', () => {
    service().template.hasResource('AWS::Logs::LogGroup', {
      DeletionPolicy: 'Delete',
      Properties: { RetentionInDays: 30 },
    });
    service({ removalPolicy: RemovalPolicy.RETAIN }).template.hasResource('AWS::Logs::LogGroup', {
      DeletionPolicy: 'Retain',
    });
  });

  describe('its cluster', () => {
    test.each([
      [true, 'enhanced'],
      [false, 'disabled'],
      [undefined, 'disabled'],
    ])('Container Insights %s is %s', (containerInsights, value) => {
      const stack = newStack();
      new Cluster(stack, 'Cluster', { vpc: newPlace(stack).vpc, containerInsights });
      Template.fromStack(stack).hasResourceProperties('AWS::ECS::Cluster', {
        ClusterSettings: [{ Name: 'containerInsights', Value: value }],
      });
    });
  });

  describe('an image that exists', () => {
    function taskWith(uri: string) {
      const stack = newStack();
      const task = new ecs.FargateTaskDefinition(stack, 'Task');
      task.addContainer('app', { image: existingImage(stack, uri) });
      const template = Template.fromStack(stack);
      const [definition] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
      return { image: JSON.stringify(definition.ContainerDefinitions[0].Image), template };
    }

    test('an image of a public registry is taken as it is written', () => {
      const { image, template } = taskWith('public.ecr.aws/team/app:1.0');
      expect(image).toBe('"public.ecr.aws/team/app:1.0"');
      template.resourceCountIs('AWS::IAM::Policy', 0);
    });

    test('an image of a private repository may be pulled, from that repository alone', () => {
      const { image, template } = taskWith(imageUri);
      expect(image).toContain('/realtime:1.2.3');
      const [policy] = resourcesOf(template, 'AWS::IAM::Policy');
      const pull = policy.PolicyDocument.Statement.find(({ Action }: { Action: string[] }) =>
        Action.includes('ecr:BatchGetImage'),
      );
      expect(JSON.stringify(pull.Resource)).toContain('ecr:us-east-1:123456789012:repository/realtime');
    });

    test('a digest is kept as a digest', () => {
      const digest = `sha256:${'a'.repeat(64)}`;
      expect(taskWith(`123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@${digest}`).image).toContain(
        `/team/app@${digest}`,
      );
    });
  });
});

describe('our own service', () => {
  function app(props: Partial<AppProps> = {}) {
    const stack = newStack();
    const place = newPlace(stack);
    const construct = new App(stack, 'App', {
      cluster: new ecs.Cluster(stack, 'Cluster', { vpc: place.vpc }),
      place,
      image: ecs.ContainerImage.fromRegistry('public.ecr.aws/team/app:1.0'),
      cpuArchitecture: 'arm64',
      cpu: 512,
      memoryMiB: 1024,
      minTasks: 3,
      deployment: 'here',
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(60),
      trustedProxyHops: 2,
      connectionsPerTask: 2500,
      guests: false,
      redis: newRedis(stack),
      logRetention: 30,
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
    });
    const template = Template.fromStack(stack);
    const [task] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
    return { stack, construct, template, container: task.ContainerDefinitions[0] };
  }

  const environmentOf = (container: Json): Record<string, Json> =>
    Object.fromEntries(container.Environment.map(({ Name, Value }: Json) => [Name, Value]));

  const policyOf = (template: Template) =>
    resourcesOf(template, 'AWS::IAM::Policy').find(({ PolicyName }) =>
      PolicyName.startsWith('AppRealtimeTaskTaskRole'),
    ).PolicyDocument.Statement as Json[];

  test('the service is told all that it reads of its environment, and takes it', () => {
    const variables = environmentOf(app().container);
    expect(variables).toEqual({
      PORT: '3000',
      HOST: '0.0.0.0',
      DEPLOYMENT: 'here',
      IDLE_TIMEOUT_SECONDS: '120',
      DRAIN_SECONDS: '60',
      TRUSTED_PROXY_HOPS: '2',
      ADMIN_PORT: '9464',
      EMF_NAMESPACE: 'RealtimeStack',
      GUESTS: 'false',
      REDIS_URL_PARAMETER: { Ref: expect.stringMatching(/^RedisRedisUrl/) },
    });
    const generated = {
      AUTH_SECRET: 'x'.repeat(64),
      SERVICE_TOKEN: 'y'.repeat(64),
      REDIS_URL_PARAMETER: 'p',
    };
    expect(() => readEnvironment({ ...variables, ...generated })).not.toThrow();
  });

  test('an identity provider, other origins and a model are told too', () => {
    const variables = environmentOf(
      app({
        identityProvider: { jwksUrl: 'https://id.example.com/keys', issuer: 'me', audience: undefined },
        corsOrigins: ['https://a.example.com', 'https://b.example.com'],
        model: { id: 'amazon.nova-lite-v1:0' },
      }).container,
    );
    expect(variables).toMatchObject({
      AUTH_JWKS_URL: 'https://id.example.com/keys',
      AUTH_ISSUER: 'me',
      CORS_ORIGINS: 'https://a.example.com,https://b.example.com',
      MODEL_PROVIDER: 'bedrock',
      MODEL_ID: 'amazon.nova-lite-v1:0',
    });
    expect(variables).not.toHaveProperty('AUTH_AUDIENCE');
  });

  test('without Redis it is told so', () => {
    const variables = environmentOf(app({ redis: undefined, minTasks: 1 }).container);
    expect(variables.REDIS_URL).toBe('none');
    expect(variables).not.toHaveProperty('REDIS_URL_PARAMETER');
  });

  test('keys are generated, kept with prod, and reach the container as secrets alone', () => {
    const { template, container } = app();
    expect(container.Secrets.map(({ Name }: Json) => Name)).toEqual(['AUTH_SECRET', 'SERVICE_TOKEN']);
    template.hasResource('AWS::SecretsManager::Secret', {
      DeletionPolicy: 'Retain',
      // Two are separated by a comma while one replaces the other.
      Properties: { GenerateSecretString: { ExcludePunctuation: true, PasswordLength: 64 } },
    });
  });

  test('the task may read its parameter and ask for its own state, and nothing else', () => {
    const { template } = app();
    expect(policyOf(template).map(({ Action }) => Action)).toEqual(['ssm:GetParameter', 'ecs:DescribeTasks']);
    expect(JSON.stringify(policyOf(template)[1].Resource)).toMatch(/:task\/".*Cluster.*"\/\*"/);
  });

  test('a model of Bedrock may be invoked, in streams, and no other', () => {
    const resourcesFor = (model: AppProps['model']) =>
      policyOf(app({ model }).template).find(({ Action }) => Action.startsWith('bedrock:')) as Json;
    expect(resourcesFor({ id: 'amazon.nova-lite-v1:0' })).toMatchObject({
      Action: 'bedrock:InvokeModelWithResponseStream',
      Resource: 'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0',
    });
    const profile = resourcesFor({
      id: 'eu.amazon.nova-lite-v1:0',
      profileRegions: ['eu-west-1', 'eu-west-3'],
    });
    expect(profile.Resource.map((arn: Json) => JSON.stringify(arn))).toEqual([
      '"arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"',
      '"arn:aws:bedrock:eu-west-3::foundation-model/amazon.nova-lite-v1:0"',
      expect.stringContaining(':inference-profile/eu.amazon.nova-lite-v1:0'),
    ]);
  });

  describe('scaling', () => {
    const scaled = () => app({ maxTasks: 12 }).template;

    test('happens where there is room for it', () => {
      app().template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
      scaled().hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
        MinCapacity: 3,
        MaxCapacity: 12,
      });
    });

    test('holds the connections of a task, averaged over all of them, and the CPU', () => {
      const targets = resourcesOf(scaled(), 'AWS::ApplicationAutoScaling::ScalingPolicy').map(
        ({ TargetTrackingScalingPolicyConfiguration: policy }) => policy,
      );
      expect(targets).toEqual([
        expect.objectContaining({
          TargetValue: 2500,
          CustomizedMetricSpecification: {
            Namespace: 'RealtimeStack',
            MetricName: 'Connections',
            Statistic: 'Average',
            Dimensions: [
              { Name: 'Deployment', Value: 'here' },
              { Name: 'Service', Value: 'app' },
            ],
          },
        }),
        expect.objectContaining({
          TargetValue: 60,
          PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
        }),
      ]);
      for (const { ScaleOutCooldown, ScaleInCooldown } of targets)
        expect([ScaleOutCooldown, ScaleInCooldown]).toEqual([60, 900]);
    });
  });
});
