import { Template } from 'aws-cdk-lib/assertions';
import { parseConfig, type RealtimeConfigInput } from '../../../lib/config/config.ts';
import { RealtimeStack } from '../../../lib/realtime-stack.ts';
import { imageUri, newApp } from './synthesis.ts';

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
