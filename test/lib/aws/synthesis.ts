import { readFileSync } from 'node:fs';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { ExistingRedis } from '../../../lib/aws/existing-redis.ts';
import { Network } from '../../../lib/aws/network.ts';
import { parseConfig, type RealtimeConfigInput } from '../../../lib/config/config.ts';
import { RealtimeStack } from '../../../lib/realtime-stack.ts';

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

export function realtimeStack(knobs: RealtimeConfigInput = {}): RealtimeStack {
  return new RealtimeStack(newApp(), 'RealtimeStack', parseConfig({ imageUri, ...knobs }));
}

const templates = new Map<string, Template>();

/** The template of a configuration; synthesized once, as it costs more than all that is asked of it. */
export function templateOf(knobs: RealtimeConfigInput = {}): Template {
  const key = JSON.stringify(knobs);
  const template = templates.get(key) ?? Template.fromStack(realtimeStack(knobs));
  templates.set(key, template);
  return template;
}

/** Configurations that must synthesize, from a fresh clone and without credentials. */
export const variants = {
  dev: {},
  prod: { environment: 'prod' },
  'own domain': {
    environment: 'prod',
    domainName: 'realtime.example.com',
    hostedZoneId: 'Z0123456789ABC',
    hostedZoneName: 'example.com',
    alarmEmail: 'ops@example.com',
    liveKitNodes: 2,
  },
  'own certificate': {
    domainName: 'realtime.example.com',
    certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0123',
  },
  'existing VPC': {
    environment: 'prod',
    vpcId: 'vpc-0123abcd',
    availabilityZones: 'us-east-1a,us-east-1b',
    privateSubnetIds: 'subnet-0000000a,subnet-0000000b',
    isolatedSubnetIds: 'subnet-0000000c,subnet-0000000d',
  },
  'existing Redis': {
    vpcId: 'vpc-0123abcd',
    availabilityZones: 'us-east-1a,us-east-1b',
    privateSubnetIds: 'subnet-0000000a,subnet-0000000b',
    backplane: 'existing',
    redisAddress: 'master.shared.abc123.use1.cache.amazonaws.com:6379',
    redisSecurityGroupId: 'sg-0123abcd',
    redisSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-AbCdEf',
  },
  'no backplane': { backplane: 'none' },
  'everything on': {
    region: 'eu-west-1',
    waf: true,
    ecsExec: true,
    maxTasks: 6,
    liveKitNodes: 1,
    containerInsights: true,
    modelProvider: 'bedrock',
    modelId: 'eu.amazon.nova-lite-v1:0',
    modelRegions: 'eu-west-1,eu-west-3',
    authJwksUrl: 'https://id.example.com/keys',
    authIssuer: 'https://id.example.com/',
    authAudience: 'realtime',
    corsOrigins: 'https://app.example.com',
  },
} as const satisfies Record<string, RealtimeConfigInput>;

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
