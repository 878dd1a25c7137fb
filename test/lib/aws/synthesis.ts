import { readFileSync } from 'node:fs';
import { App, Stack } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import { ExistingNetwork } from '../../../lib/aws/network/existing-network.ts';
import { ExistingRedis } from '../../../lib/aws/redis/existing-redis.ts';
import { templateOnly } from '../../../lib/cost/synthesize.ts';

const cdkJson = JSON.parse(readFileSync('cdk.json', 'utf8'));

/** An image that exists, so that a template does not change with the service's source. */
export const imageUri = '123456789012.dkr.ecr.us-east-1.amazonaws.com/realtime:1.2.3';

/** An app as `cdk synth` creates it, with the feature flags of cdk.json. */
export const newApp = () =>
  new App({
    analyticsReporting: false,
    treeMetadata: false,
    context: { ...cdkJson.context, ...templateOnly, 'aws:cdk:disable-logicalId-metadata': true },
  });

export const newStack = (region = 'us-east-1') => new Stack(newApp(), 'Test', { env: { region } });

/** Subnets of `newNetwork`, in two zones. */
export const subnetIds = {
  public: ['subnet-public-a', 'subnet-public-b'],
  private: ['subnet-private-a', 'subnet-private-b'],
  isolated: ['subnet-isolated-a', 'subnet-isolated-b'],
};

/** An existing VPC with all kinds of subnets. It adds nothing to the template, so it costs next to nothing. */
export const newNetwork = (stack: Stack) =>
  new ExistingNetwork(stack, 'Network', {
    vpcId: 'vpc-0123abcd',
    availabilityZones: ['us-east-1a', 'us-east-1b'],
    publicSubnetIds: subnetIds.public,
    privateSubnetIds: subnetIds.private,
    isolatedSubnetIds: subnetIds.isolated,
  });

/** A Redis that exists already, the simplest that can connect instances. */
export const newRedis = (stack: Stack) =>
  new ExistingRedis(stack, 'Redis', { host: 'cache.example.com', port: 6379, tls: true });

/** The texts of the warnings that a synthesis prints. The app keeps its synthesis, so this costs nothing. */
export const warningsOf = (stack: Stack): string[] =>
  (stack.node.root as App)
    .synth()
    .getStackArtifact(stack.artifactId)
    .messages.filter(({ level }) => level === 'warning')
    .map(({ entry }) => String(entry.data));

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of any shape
export type Json = any;

/** The properties of all resources of a type. */
export function resourcesOf(template: Template, type: string): Json[] {
  return Object.values(template.findResources(type)).map((resource: Json) => resource.Properties);
}

/** Attributes are a list of keys that no validator knows. As an object they can be compared completely. */
export const attributesOf = (list: { Key: string; Value: unknown }[]) =>
  Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));

/** A container of a task definition, by name. */
export const containerOf = (task: Json, name: string): Json =>
  task.ContainerDefinitions.find(({ Name }: Json) => Name === name);

/** The variables of a container; a reference becomes the logical id that it refers to. */
export const variablesOf = ({ Environment = [] }: Json): Record<string, string> =>
  Object.fromEntries(Environment.map(({ Name, Value }: Json) => [Name, referenced(Value)]));

/** A text with references replaced by the logical ids that they refer to. */
export const referenced = (value: Json): string =>
  typeof value === 'string'
    ? value
    : value['Fn::Join']
      ? value['Fn::Join'][1].map(referenced).join('')
      : (value['Fn::GetAtt']?.[0] ?? value.Ref);

export const withoutHash = (logicalId: string) => logicalId.replace(/[0-9A-F]{8}$/, '');
