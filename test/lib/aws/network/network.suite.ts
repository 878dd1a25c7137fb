import { Fn, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { ExistingNetwork } from '../../../../lib/aws/network/existing-network.ts';
import { Network } from '../../../../lib/aws/network/network.ts';
import { type Json, newStack, resourcesOf } from '../synthesis.ts';

const zonesUpTo = (count: number) =>
  Array.from({ length: count }, (_, index) => Fn.select(index, Fn.getAzs()));

function network(availabilityZones: string[], natGateways: number) {
  const stack = newStack();
  const construct = new Network(stack, 'Network', {
    availabilityZones,
    natGateways,
    logRetention: 30,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  return { construct, template: Template.fromStack(stack) };
}

const threeZones = network(zonesUpTo(3), 1);
const twoZones = network(zonesUpTo(2), 1);
const withoutNat = network(zonesUpTo(2), 0);

const zonesOf = (template: Template): Json[] => [
  ...new Set(
    resourcesOf(template, 'AWS::EC2::Subnet').map(({ AvailabilityZone }) => JSON.stringify(AvailabilityZone)),
  ),
];

const kindsOf = (template: Template) =>
  resourcesOf(template, 'AWS::EC2::Subnet')
    .map(({ Tags }) => Tags.find(({ Key }: Json) => Key === 'aws-cdk:subnet-name').Value)
    .sort();

test('three zones need no account and no look-up', () => {
  const { template } = threeZones;
  template.resourceCountIs('AWS::EC2::Subnet', 9);
  expect(zonesOf(template).map((zone) => JSON.parse(zone)['Fn::Select'][0])).toEqual([0, 1, 2]);
});

test('zones can be named', () => {
  const { template } = network(['us-east-1b', 'us-east-1d'], 3);
  expect(zonesOf(template)).toEqual(['"us-east-1b"', '"us-east-1d"']);
});

test('each zone has a public, a private and an isolated subnet, and none assigns public addresses', () => {
  const { template } = threeZones;
  expect(kindsOf(template)).toEqual([
    ...Array(3).fill('Isolated'),
    ...Array(3).fill('Private'),
    ...Array(3).fill('Public'),
  ]);
  const subnets = resourcesOf(template, 'AWS::EC2::Subnet');
  expect(subnets.filter(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch)).toEqual([]);
});

test('there are as many NAT gateways as are wanted', () => {
  threeZones.template.resourceCountIs('AWS::EC2::NatGateway', 1);
  network(zonesUpTo(2), 2).template.resourceCountIs('AWS::EC2::NatGateway', 2);
});

test('without NAT gateways, tasks are placed in the public subnets and have public addresses', () => {
  const { construct, template } = withoutNat;
  template.resourceCountIs('AWS::EC2::NatGateway', 0);
  expect(kindsOf(template)).toEqual(['Isolated', 'Isolated', 'Public', 'Public']);
  expect(construct).toMatchObject({ tasksHavePublicAddresses: true, taskSubnets: construct.publicSubnets });
  expect(threeZones.construct.tasksHavePublicAddresses).toBe(false);
});

test.each([
  ['a further zone', twoZones, threeZones],
  ['NAT gateways', withoutNat, twoZones],
])('adding %s later moves no subnet', (_, before, after) => {
  const blocks = ({ template }: typeof before) =>
    Object.fromEntries(
      Object.entries(template.findResources('AWS::EC2::Subnet')).map(([id, subnet]) => [
        id,
        (subnet as Json).Properties.CidrBlock,
      ]),
    );
  expect(blocks(after)).toMatchObject(blocks(before));
});

test('isolated subnets have no route to the internet', () => {
  // Each public and each private subnet has one default route.
  threeZones.template.resourceCountIs('AWS::EC2::Route', 6);
});

test('rejected traffic is logged, S3 needs no NAT gateway, and no function closes the default group', () => {
  const { template } = threeZones;
  template.hasResourceProperties('AWS::EC2::FlowLog', { TrafficType: 'REJECT', ResourceType: 'VPC' });
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  template.hasResourceProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' });
  template.resourceCountIs('AWS::Lambda::Function', 0);
});

describe('an existing VPC', () => {
  const existing = (stack: Stack, isolatedSubnetIds?: string[]) =>
    new ExistingNetwork(stack, 'Network', {
      vpcId: 'vpc-0123abcd',
      availabilityZones: ['us-east-1a', 'us-east-1b'],
      privateSubnetIds: ['subnet-a', 'subnet-b'],
      isolatedSubnetIds,
    });

  test('is named by its attributes and gets no resources', () => {
    const stack = newStack();
    const { vpc, taskSubnets, isolatedSubnets } = existing(stack, ['subnet-c', 'subnet-d']);
    expect(vpc.selectSubnets(taskSubnets)).toMatchObject({
      subnetIds: ['subnet-a', 'subnet-b'],
      availabilityZones: ['us-east-1a', 'us-east-1b'],
    });
    expect(vpc.selectSubnets(isolatedSubnets).subnetIds).toEqual(['subnet-c', 'subnet-d']);
    expect(Template.fromStack(stack).toJSON().Resources).toBeUndefined();
  });

  test('uses its private subnets if no isolated ones are named', () => {
    const { isolatedSubnets, taskSubnets } = existing(newStack());
    expect(isolatedSubnets).toBe(taskSubnets);
  });
});
