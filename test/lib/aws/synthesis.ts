import { readFileSync } from 'node:fs';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, type Template } from 'aws-cdk-lib/assertions';
import { ExistingRedis } from '../../../lib/aws/backplane/existing-redis.ts';
import { Network } from '../../../lib/aws/network/network.ts';

const cdkJson = JSON.parse(readFileSync('cdk.json', 'utf8'));

/** An image that exists, so that a template does not change with the service's source. */
export const imageUri = '123456789012.dkr.ecr.us-east-1.amazonaws.com/realtime:1.2.3';

/** An app as `cdk synth` makes it, with the feature flags of cdk.json; warnings are asserted, not printed. */
export const newApp = () =>
  new App({
    analyticsReporting: false,
    context: { ...cdkJson.context, '@aws-cdk/core:annotationsInValidationReport': false },
  });

export const newStack = () => new Stack(newApp(), 'Test', { env: { region: 'us-east-1' } });

/** Two zones with a NAT gateway. */
export const newPlace = (stack: Stack) =>
  new Network(stack, 'Network', {
    availabilityZones: ['us-east-1a', 'us-east-1b'],
    natGateways: 1,
    flowLogRetention: 7,
    removalPolicy: RemovalPolicy.DESTROY,
  });

/** A Redis that is there already, the smallest that a service can join through. */
export const newRedis = (stack: Stack) =>
  new ExistingRedis(stack, 'Redis', { host: 'cache.example.com', port: 6379, tls: true });

/** The texts of the warnings that a synthesis would show. */
export const warningsOf = (stack: Stack): string[] =>
  Annotations.fromStack(stack)
    .findWarning('*', Match.anyValue())
    .map(({ entry }) => String(entry.data));

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON of any shape
export type Json = any;

export function resourcesOf(template: Template, type: string): Json[] {
  return Object.values(template.findResources(type)).map((resource: Json) => resource.Properties);
}

/** Attributes are a list of keys that no validator knows: as an object they can be compared whole. */
export const attributesOf = (list: { Key: string; Value: unknown }[]) =>
  Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));
