import { RemovalPolicy } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Cluster } from '../../../../lib/aws/ecs/cluster.ts';
import { ContainerService, type ContainerServiceProps } from '../../../../lib/aws/ecs/container-service.ts';
import { newNetwork, newRedis, newStack, resourcesOf, subnetIds, warningsOf } from '../synthesis.ts';

function service(props: Partial<ContainerServiceProps> = {}) {
  const stack = newStack();
  const network = newNetwork(stack);
  new ContainerService(stack, 'Service', {
    cluster: new ecs.Cluster(stack, 'Cluster', { vpc: network.vpc }),
    network,
    image: ecs.ContainerImage.fromRegistry('public.ecr.aws/team/hub:1.0'),
    cpuArchitecture: 'arm64',
    cpu: 512,
    memoryMiB: 1024,
    port: 8080,
    minTasks: 3,
    maxTasks: 3,
    redis: newRedis(stack),
    logRetention: 30,
    removalPolicy: RemovalPolicy.DESTROY,
    ...props,
  });
  const template = Template.fromStack(stack);
  const [task] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  const [created] = resourcesOf(template, 'AWS::ECS::Service');
  return { stack, template, task, service: created, container: task.ContainerDefinitions[0] };
}

const usual = service();
const alone: Partial<ContainerServiceProps> = { minTasks: 1, maxTasks: 1, redis: undefined };

test('the task runs on Fargate, on the processor and in the size that it was given', () => {
  expect(usual.task).toMatchObject({
    Cpu: '512',
    Memory: '1024',
    NetworkMode: 'awsvpc',
    RequiresCompatibilities: ['FARGATE'],
    RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
  });
  expect(service({ cpuArchitecture: 'x86_64' }).task.RuntimePlatform.CpuArchitecture).toBe('X86_64');
});

test('the container can’t write its image, is not root, and has time to drain', () => {
  expect(usual.container).toMatchObject({
    ReadonlyRootFilesystem: true,
    User: '1000',
    StopTimeout: 120,
    PortMappings: [{ ContainerPort: 8080, Protocol: 'tcp' }],
  });
});

test('any program finds Redis in two well-known variables, as secrets', () => {
  const { container } = usual;
  expect(container.Environment ?? []).toEqual([]);
  const [url, connectionString] = container.Secrets;
  expect(url).toMatchObject({ Name: 'REDIS_URL' });
  expect(JSON.stringify(url.ValueFrom)).toContain(':url::');
  expect(connectionString).toMatchObject({ Name: 'ConnectionStrings__Redis' });
  expect(JSON.stringify(connectionString.ValueFrom)).toContain(':connectionString::');
});

test('a deployment keeps every task until its successor is healthy, and rolls back if it fails', () => {
  expect(usual.service).toMatchObject({
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

test('if it scales, a deployment sets no count', () => {
  expect(service({ maxTasks: 6 }).service).not.toHaveProperty('DesiredCount');
});

test('without Redis there are never two tasks at the same time, and synth warns', () => {
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

test('tasks are placed in the private subnets, without public addresses', () => {
  expect(usual.service.NetworkConfiguration.AwsvpcConfiguration).toMatchObject({
    AssignPublicIp: 'DISABLED',
    Subnets: subnetIds.private,
  });
});

test('with ECS Exec, whose agent writes files, the file system is not read-only', () => {
  const { service: created, container } = service({ ecsExec: true });
  expect(created.EnableExecuteCommand).toBe(true);
  expect(container.ReadonlyRootFilesystem).toBe(false);
  expect(usual.service.EnableExecuteCommand).toBe(false);
});

test('nothing can connect to a task before a route is added, and tasks reach only HTTPS and Redis', () => {
  const { template } = usual;
  template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
  const [group] = resourcesOf(template, 'AWS::EC2::SecurityGroup');
  expect(group.SecurityGroupEgress.map(({ FromPort, ToPort }: never) => [FromPort, ToPort])).toEqual([
    [443, 443],
    [6379, 6379],
  ]);
});

test('a service has a name of its own, beside others in one stack', () => {
  const { container, template } = service({ containerName: 'backend' });
  expect(container.Name).toBe('backend');
  expect(container.LogConfiguration.Options['awslogs-stream-prefix']).toBe('backend');
  const [group] = resourcesOf(template, 'AWS::EC2::SecurityGroup');
  expect(group.GroupDescription).toContain('Tasks of backend');
  expect(usual.container.Name).toBe('app');
});

test('ECS may decrypt secrets under a key of the customer’s, by that key alone and through Secrets Manager', () => {
  const secretsKmsKeyArn = 'arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d';
  const decrypts = ({ template }: ReturnType<typeof service>) =>
    resourcesOf(template, 'AWS::IAM::Policy')
      .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
      .filter(({ Action }) => Action === 'kms:Decrypt');
  expect(decrypts(service({ secretsKmsKeyArn }))).toEqual([
    expect.objectContaining({ Resource: secretsKmsKeyArn, Condition: expect.anything() }),
  ]);
  expect(decrypts(usual)).toEqual([]);
});

test.each([
  [RemovalPolicy.DESTROY, 'Delete'],
  [RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, 'RetainExceptOnCreate'],
])('the log is kept for the given time; on removal, %s is %s', (removalPolicy, DeletionPolicy) => {
  service({ removalPolicy }).template.hasResource('AWS::Logs::LogGroup', {
    DeletionPolicy,
    Properties: { RetentionInDays: 30 },
  });
});

test.each([
  [true, 'enhanced'],
  [false, 'disabled'],
])('Container Insights %s is %s', (containerInsights, value) => {
  const stack = newStack();
  new Cluster(stack, 'Cluster', { vpc: newNetwork(stack).vpc, containerInsights });
  Template.fromStack(stack).hasResourceProperties('AWS::ECS::Cluster', {
    ClusterSettings: [{ Name: 'containerInsights', Value: value }],
  });
});
