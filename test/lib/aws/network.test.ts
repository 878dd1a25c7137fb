import { Fn } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Network } from '../../../lib/aws/network.ts';
import { type Json, newStack, resourcesOf } from './synthesis.ts';

const threeZones = [0, 1, 2].map((index) => Fn.select(index, Fn.getAzs()));

function network(availabilityZones = threeZones, natGateways = 1) {
  const stack = newStack();
  new Network(stack, 'Network', { availabilityZones, natGateways });
  return Template.fromStack(stack);
}

const zonesOf = (template: Template): Json[] => [
  ...new Set(
    resourcesOf(template, 'AWS::EC2::Subnet').map(({ AvailabilityZone }) => JSON.stringify(AvailabilityZone)),
  ),
];

test('three zones come without an account or a look-up', () => {
  const template = network();
  template.resourceCountIs('AWS::EC2::Subnet', 9);
  expect(zonesOf(template).map((zone) => JSON.parse(zone)['Fn::Select'][0])).toEqual([0, 1, 2]);
});

test('zones can be named', () => {
  const template = network(['us-east-1b', 'us-east-1d']);
  expect(zonesOf(template)).toEqual(['"us-east-1b"', '"us-east-1d"']);
});

test('each zone has a public, a private and an isolated subnet, none of which hands out public addresses', () => {
  const subnets = resourcesOf(network(), 'AWS::EC2::Subnet');
  const kinds = subnets.map(({ Tags }) => attributeOf(Tags, 'aws-cdk:subnet-name'));
  expect(kinds.sort()).toEqual([
    ...Array(3).fill('Isolated'),
    ...Array(3).fill('Private'),
    ...Array(3).fill('Public'),
  ]);
  expect(subnets.filter(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch)).toEqual([]);
});

test.each([1, 3])('%i NAT gateways', (count) => {
  network(threeZones, count).resourceCountIs('AWS::EC2::NatGateway', count);
});

test('isolated subnets have no way out', () => {
  const template = network();
  // One default route for each public and each private subnet.
  template.resourceCountIs('AWS::EC2::Route', 6);
});

test('rejected traffic is logged, S3 is reached without NAT, and no function closes the default group', () => {
  const template = network();
  template.hasResourceProperties('AWS::EC2::FlowLog', { TrafficType: 'REJECT', ResourceType: 'VPC' });
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  template.hasResourceProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' });
  template.resourceCountIs('AWS::Lambda::Function', 0);
});

const attributeOf = (tags: { Key: string; Value: string }[], key: string) =>
  tags.find(({ Key }) => Key === key)?.Value;
