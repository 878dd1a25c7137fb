import { Template } from 'aws-cdk-lib/assertions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Ec2Capacity, type Ec2CapacityProps, vCpusOf } from '../../../../lib/aws/livekit/ec2-capacity.ts';
import { type Json, newNetwork, newStack, resourcesOf, subnetIds } from '../synthesis.ts';

function capacity(props: Partial<Ec2CapacityProps> = {}) {
  const stack = newStack();
  const network = newNetwork(stack);
  const cluster = new ecs.Cluster(stack, 'Cluster', { vpc: network.vpc });
  const construct = new Ec2Capacity(stack, 'Capacity', {
    cluster,
    network,
    minTasks: 2,
    maxTasks: 2,
    instanceType: 'c7g.xlarge',
    terminationProtection: true,
    turn: false,
    notifications: new Topic(stack, 'Topic'),
    ...props,
  });
  return { stack, cluster, construct, template: () => Template.fromStack(stack) };
}

const usual = capacity().template();

const groupOf = (template: Template): Json =>
  Object.values(template.findResources('AWS::AutoScaling::AutoScalingGroup'))[0];

test('a deployment has room for old and new nodes at the same time', () => {
  const group = groupOf(usual);
  expect(group.Properties).toMatchObject({
    MinSize: '2',
    MaxSize: '4',
    VPCZoneIdentifier: subnetIds.public,
    NotificationConfigurations: [{ TopicARN: { Ref: expect.stringMatching(/^Topic/) } }],
  });
  // CloudFormation would reset the count at each deployment.
  expect(group.Properties).not.toHaveProperty('DesiredCapacity');
});

test('if nodes scale, there is room for twice their maximum', () => {
  expect(groupOf(capacity({ maxTasks: 6 }).template()).Properties).toMatchObject({
    MinSize: '2',
    MaxSize: '12',
  });
});

test('a new machine image replaces no host: it may have calls', () => {
  const group = groupOf(usual);
  expect(group.UpdatePolicy?.AutoScalingRollingUpdate).toBeUndefined();
  expect(group.UpdatePolicy?.AutoScalingReplacingUpdate).toBeUndefined();
});

test('hosts are encrypted, require IMDSv2 with one hop, and have buffers for media', () => {
  const [template] = resourcesOf(usual, 'AWS::EC2::LaunchTemplate');
  expect(template.LaunchTemplateData).toMatchObject({
    InstanceType: 'c7g.xlarge',
    MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { Encrypted: true, VolumeType: 'gp3' } }],
    NetworkInterfaces: [{ AssociatePublicIpAddress: true }],
  });
  const userData = JSON.stringify(template.LaunchTemplateData.UserData);
  expect(userData).toContain('net.core.rmem_max=16777216');
  expect(userData).toContain('ECS_CLUSTER=');
});

test.each([
  ['c7g.xlarge', 'arm64'],
  ['c7i.xlarge', 'amazon-linux-2023/recommended'],
])('%s takes the image of its processor', (instanceType, image) => {
  const parameters = Object.values(capacity({ instanceType }).template().toJSON().Parameters) as Json[];
  expect(parameters.map(({ Default }) => Default)).toContainEqual(expect.stringContaining(image));
});

test('hosts are drained, and with protection none that has a task is ended', () => {
  const providerOf = (terminationProtection: boolean) =>
    resourcesOf(capacity({ terminationProtection }).template(), 'AWS::ECS::CapacityProvider')[0]
      .AutoScalingGroupProvider;
  expect(providerOf(true)).toMatchObject({
    ManagedScaling: { Status: 'ENABLED', TargetCapacity: 100 },
    ManagedDraining: 'ENABLED',
    ManagedTerminationProtection: 'ENABLED',
  });
  expect(providerOf(false).ManagedTerminationProtection).toBe('DISABLED');
  expect(
    groupOf(capacity({ terminationProtection: false }).template()).Properties
      .NewInstancesProtectedFromScaleIn,
  ).toBe(false);
});

test.each([
  [false, []],
  [true, [['0.0.0.0/0', 'udp', 3478, 3478]]],
])(
  'media is admitted from anywhere on LiveKit’s ports, and relayed media needs no open port: TURN %s',
  (turn, more) => {
    const group = resourcesOf(capacity({ turn }).template(), 'AWS::EC2::SecurityGroup').find(
      ({ GroupDescription }) => GroupDescription.startsWith('LiveKit'),
    );
    expect(
      group.SecurityGroupIngress.map(({ CidrIp, IpProtocol, FromPort, ToPort }: Json) => [
        CidrIp,
        IpProtocol,
        FromPort,
        ToPort,
      ]),
    ).toEqual([['0.0.0.0/0', 'udp', 7882, 7897], ['0.0.0.0/0', 'tcp', 7881, 7881], ...more]);
  },
);

test('a service has a host for each task, and waits until the cluster has the capacity', () => {
  const { stack, cluster, construct, template } = capacity();
  const taskDefinition = construct.defineTask(stack, 'Task');
  taskDefinition.addContainer('livekit', {
    image: ecs.ContainerImage.fromRegistry('livekit'),
    memoryLimitMiB: 512,
  });
  construct.createService(stack, 'Service', {
    cluster,
    taskDefinition,
    availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
  });
  const [created] = Object.values(template().findResources('AWS::ECS::Service')) as Json[];
  expect(created.Properties).toMatchObject({
    CapacityProviderStrategy: [{ Weight: 1 }],
    PlacementConstraints: [{ Type: 'distinctInstance' }],
    AvailabilityZoneRebalancing: 'DISABLED',
  });
  const [association] = Object.keys(
    template().findResources('AWS::ECS::ClusterCapacityProviderAssociations'),
  );
  expect(association).toBeDefined();
  expect(created.DependsOn).toContain(association);
});

test('a group without hosts is refused', () => {
  expect(() => capacity({ minTasks: 0 })).toThrow('`minTasks` must be a whole number from 1, got: 0');
});

test.each([
  ['c7g.medium', 1],
  ['t4g.medium', 2],
  ['c7g.large', 2],
  ['c7g.xlarge', 4],
  ['c7i-flex.16xlarge', 64],
])('%s has %i vCPUs', (type, vCpus) => {
  expect(vCpusOf(type)).toBe(vCpus);
});
