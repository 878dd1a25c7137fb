import { Fn, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { ExistingNetwork } from '../../../../lib/aws/network/existing-network.ts';
import { Network } from '../../../../lib/aws/network/network.ts';
import { type Json, newStack, resourcesOf } from '../synthesis.ts';

const zonesUpTo = (count: number) =>
  Array.from({ length: count }, (_, index) => Fn.select(index, Fn.getAzs()));

function network(availabilityZones = zonesUpTo(3), natGateways = 1) {
  const stack = newStack();
  const place = new Network(stack, 'Network', {
    availabilityZones,
    natGateways,
    flowLogRetention: 30,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  return { place, template: Template.fromStack(stack) };
}

const zonesOf = (template: Template): Json[] => [
  ...new Set(
    resourcesOf(template, 'AWS::EC2::Subnet').map(({ AvailabilityZone }) => JSON.stringify(AvailabilityZone)),
  ),
];

const kindsOf = (template: Template) =>
  resourcesOf(template, 'AWS::EC2::Subnet')
    .map(({ Tags }) => Tags.find(({ Key }: Json) => Key === 'aws-cdk:subnet-name').Value)
    .sort();

test('three zones come without an account or a look-up', () => {
  const { template } = network();
  template.resourceCountIs('AWS::EC2::Subnet', 9);
  expect(zonesOf(template).map((zone) => JSON.parse(zone)['Fn::Select'][0])).toEqual([0, 1, 2]);
});

test('zones can be named', () => {
  const { template } = network(['us-east-1b', 'us-east-1d']);
  expect(zonesOf(template)).toEqual(['"us-east-1b"', '"us-east-1d"']);
});

test('each zone has a public, a private and an isolated subnet, none of which hands out public addresses', () => {
  const { template } = network();
  expect(kindsOf(template)).toEqual([
    ...Array(3).fill('Isolated'),
    ...Array(3).fill('Private'),
    ...Array(3).fill('Public'),
  ]);
  const subnets = resourcesOf(template, 'AWS::EC2::Subnet');
  expect(subnets.filter(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch)).toEqual([]);
});

test.each([1, 3])('%i NAT gateways', (count) => {
  network(zonesUpTo(3), count).template.resourceCountIs('AWS::EC2::NatGateway', count);
});

test('without NAT gateways tasks stand in the public subnets, with addresses', () => {
  const { place, template } = network(zonesUpTo(2), 0);
  template.resourceCountIs('AWS::EC2::NatGateway', 0);
  expect(kindsOf(template)).toEqual(['Isolated', 'Isolated', 'Public', 'Public']);
  expect(place).toMatchObject({ tasksHavePublicAddresses: true, taskSubnets: place.publicSubnets });
  expect(network().place.tasksHavePublicAddresses).toBe(false);
});

test.each([
  ['a zone more', network(zonesUpTo(2), 1), network(zonesUpTo(3), 1)],
  ['NAT gateways later', network(zonesUpTo(2), 0), network(zonesUpTo(2), 2)],
])('%s leaves the subnets where they are', (_, before, after) => {
  const blocks = ({ template }: typeof before) =>
    Object.fromEntries(
      Object.entries(template.findResources('AWS::EC2::Subnet')).map(([id, subnet]) => [
        id,
        (subnet as Json).Properties.CidrBlock,
      ]),
    );
  expect(blocks(after)).toMatchObject(blocks(before));
});

test('isolated subnets have no way out', () => {
  // One default route for each public and each private subnet.
  network().template.resourceCountIs('AWS::EC2::Route', 6);
});

test('rejected traffic is logged, S3 is reached without NAT, and no function closes the default group', () => {
  const { template } = network();
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

  test('is named by its attributes and gets nothing of its own', () => {
    const stack = newStack();
    const place = existing(stack, ['subnet-c', 'subnet-d']);
    expect(place.vpc.selectSubnets(place.taskSubnets)).toMatchObject({
      subnetIds: ['subnet-a', 'subnet-b'],
      availabilityZones: ['us-east-1a', 'us-east-1b'],
    });
    expect(place.vpc.selectSubnets(place.isolatedSubnets).subnetIds).toEqual(['subnet-c', 'subnet-d']);
    expect(Template.fromStack(stack).toJSON().Resources).toBeUndefined();
  });

  test('its private subnets serve where no isolated ones are named', () => {
    const place = existing(newStack());
    expect(place.isolatedSubnets).toBe(place.taskSubnets);
  });
});
