import { Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { App, type AppProps } from '../../../lib/aws/app.ts';
import { type Json, newStack, newVpc, resourcesOf, warningsOf } from './synthesis.ts';

function app(props: Partial<AppProps> = {}) {
  const stack = newStack();
  const vpc = newVpc(stack);
  new App(stack, 'App', {
    cluster: new ecs.Cluster(stack, 'Cluster', { vpc }),
    image: ecs.ContainerImage.fromRegistry('public.ecr.aws/team/app:1.0'),
    cpuArchitecture: 'arm64',
    cpu: 512,
    memoryMiB: 1024,
    desiredCount: 3,
    deployment: 'here',
    idleTimeout: Duration.minutes(2),
    redisUrlParameter: new ssm.StringParameter(stack, 'Url', { stringValue: 'rediss://cache:6379' }),
    ...props,
  });
  const template = Template.fromStack(stack);
  const [task] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  const [service] = resourcesOf(template, 'AWS::ECS::Service');
  return { stack, vpc, template, task, service, container: task.ContainerDefinitions[0] };
}

const alone: Partial<AppProps> = { desiredCount: 1, redisUrlParameter: undefined };

const environmentOf = (container: Json): Json =>
  Object.fromEntries(container.Environment.map(({ Name, Value }: Json) => [Name, Value]));

test('the task runs on Fargate, on the processor and in the size that it was given', () => {
  expect(app().task).toMatchObject({
    Cpu: '512',
    Memory: '1024',
    NetworkMode: 'awsvpc',
    RequiresCompatibilities: ['FARGATE'],
    RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
  });
  expect(app({ cpuArchitecture: 'x86_64' }).task.RuntimePlatform.CpuArchitecture).toBe('X86_64');
});

test('the container cannot write its image, is not root, and has time to drain', () => {
  expect(app().container).toMatchObject({ ReadonlyRootFilesystem: true, User: '1000', StopTimeout: 120 });
});

test('the service is told where it listens and by which name it finds the cache', () => {
  const { container } = app();
  expect(environmentOf(container)).toEqual({
    PORT: '3000',
    HOST: '0.0.0.0',
    DEPLOYMENT: 'here',
    IDLE_TIMEOUT_SECONDS: '120',
    REDIS_URL_PARAMETER: { Ref: expect.stringMatching(/^Url/) },
  });
  expect(container.PortMappings).toEqual([{ ContainerPort: 3000, Protocol: 'tcp' }]);
});

test('a deployment keeps every task until its successor is healthy, and undoes itself', () => {
  expect(app().service).toMatchObject({
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

test('without a backplane there are never two tasks at once, and synth warns', () => {
  const { stack, service, container } = app(alone);
  expect(service.DeploymentConfiguration).toMatchObject({ MinimumHealthyPercent: 0, MaximumPercent: 100 });
  expect(environmentOf(container)).toMatchObject({ REDIS_URL: 'none' });
  expect(environmentOf(container)).not.toHaveProperty('REDIS_URL_PARAMETER');
  expect(warningsOf(stack)).toEqual([expect.stringContaining('realtime-stack:single-instance')]);
});

test('several tasks without a backplane are refused', () => {
  expect(() => app({ ...alone, desiredCount: 2 })).toThrow(
    '`desiredCount` must be 1 without `redisUrlParameter`, got: 2',
  );
});

test('tasks stand in the private subnets, without public addresses', () => {
  const { stack, vpc, service } = app();
  expect(service.NetworkConfiguration.AwsvpcConfiguration).toMatchObject({
    AssignPublicIp: 'DISABLED',
    Subnets: stack.resolve(vpc.privateSubnets.map(({ subnetId }) => subnetId)),
  });
});

test('nothing reaches a task until something is joined to it, and it reaches HTTPS alone', () => {
  const { template } = app();
  template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    SecurityGroupEgress: [
      {
        CidrIp: '0.0.0.0/0',
        IpProtocol: 'tcp',
        FromPort: 443,
        ToPort: 443,
        Description: 'AWS APIs over HTTPS',
      },
    ],
  });
});

test('the log is kept for a month', () => {
  app().template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
});
