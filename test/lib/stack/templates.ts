import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { type KnobInput, parseConfig } from '../../../lib/config/config.ts';
import { RealtimeStack } from '../../../lib/realtime-stack.ts';
import { describeInFull, isFull } from '../../support/full-runs.ts';
import { imageUri, type Json, newApp, warningsOf } from '../aws/synthesis.ts';

const existingVpc = {
  vpcId: 'vpc-0123abcd',
  availabilityZones: 'us-east-1a,us-east-1b',
  privateSubnetIds: 'subnet-0000000a,subnet-0000000b',
};

const kmsKeyArn = 'arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef';

const ecr = '123456789012.dkr.ecr.us-east-1.amazonaws.com';

/** Every image by name: nothing is built. */
const pipelineImages = {
  imageUri: `${ecr}/realtime:1.2.3`,
  liveKitImageUri: `${ecr}/livekit:1.13.5`,
  sidecarImageUri: `${ecr}/sidecar:1.2.3`,
  agentImageUri: `${ecr}/agent:1.2.3`,
};

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
  'CloudFront with an own domain': {
    environment: 'prod',
    domainName: 'realtime.example.com',
    hostedZoneId: 'Z0123456789ABC',
    hostedZoneName: 'example.com',
    cloudFront: true,
    liveKitNodes: 2,
    tags: { 'cost-center': 'R and D', Owner: 'realtime' },
    permissionsBoundary: 'developers-boundary',
    bootstrapQualifier: 'realtime',
  },
  'existing VPC': {
    ...existingVpc,
    environment: 'prod',
    isolatedSubnetIds: 'subnet-0000000c,subnet-0000000d',
  },
  'existing Redis': {
    ...existingVpc,
    publicSubnetIds: 'subnet-0000000e,subnet-0000000f',
    backplane: 'existing',
    redisAddress: 'master.shared.abc123.use1.cache.amazonaws.com:6379',
    redisSecurityGroupId: 'sg-0123abcd',
    redisSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-AbCdEf',
    secretsKmsKeyArn: kmsKeyArn,
    liveKitNodes: 2,
  },
  'several shards': { environment: 'prod', cacheShards: 3, liveKitNodes: 2 },
  'no backplane': { backplane: 'none' },
  'LiveKit on Fargate': { liveKitNodes: 2 },
  'images of a pipeline': {
    ...pipelineImages,
    environment: 'prod',
    domainName: 'realtime.example.com',
    certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0123',
    turnDomainName: 'turn.example.com',
    liveKitNodes: 2,
    agentHealthCommand: `python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8081/')"`,
    agentEnvironment: { STYLE: 'brief' },
    secretsKmsKeyArn: kmsKeyArn,
    agentSecrets: { MODEL_KEY: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:model-AbCdEf:key' },
  },
  'everything on': {
    region: 'eu-west-1',
    waf: true,
    ecsExec: true,
    privateLink: true,
    maxTasks: 6,
    liveKitNodes: 2,
    liveKitMaxNodes: 6,
    agentTasks: 2,
    agentMaxTasks: 8,
    agentCallsPerTask: 7,
    agentMode: 'voice',
    voiceApiSecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:voice-AbCdEf',
    voiceApiUrl: 'https://models.example.com/v1',
    voiceLanguageModel: 'a-model',
    voiceName: 'ada',
    voiceInstructions: 'Speak of tea.\nBe brief.',
    containerInsights: true,
    modelProvider: 'bedrock',
    modelId: 'eu.amazon.nova-lite-v1:0',
    modelRegions: 'eu-west-1,eu-west-3',
    authJwksUrl: 'https://id.example.com/keys',
    authIssuer: 'https://id.example.com/',
    authAudience: 'realtime',
    corsOrigins: 'https://app.example.com',
  },
} as const satisfies Record<string, KnobInput>;

export type VariantName = keyof typeof variants;

/** A key of the customer's own, in the region of the variant. */
export const customerKey = ({ region = 'us-east-1' }: KnobInput): string =>
  `arn:aws:kms:${region}:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555`;

/**
 * A variant with other values of four knobs that have nothing to do with each other: rotated, unprotected, encrypted with
 * a customer's key, and with a dashboard. One synthesis serves the tests of all four.
 */
export const altered = (variant: KnobInput): KnobInput => ({
  ...variant,
  passwordVersion: 2,
  deletionProtection: false,
  kmsKeyArn: customerKey(variant),
  dashboard: true,
});

const alteredFirst: readonly VariantName[] = ['dev', 'own domain', 'existing Redis'];
const alteredOthers = (Object.keys(variants) as VariantName[]).filter((name) => !alteredFirst.includes(name));

/** The variants that this run alters. */
export const alteredHere = isFull('stack') ? [...alteredFirst, ...alteredOthers] : alteredFirst;

/** A suite on altered variants: `npm test` has three, because each takes a synthesis. What a suite needs of it waits for its tests. */
export function describeAltered(suite: (knobs: KnobInput, name: VariantName) => void): void {
  for (const name of alteredFirst) describe(name, () => suite(variants[name], name));
  describeInFull('stack', 'other variants', () => {
    for (const name of alteredOthers) describe(name, () => suite(variants[name], name));
  });
}

/** A configuration as `cdk synth` handles it. */
interface Synthesized {
  readonly stack: RealtimeStack;
  readonly template: Template;
}

const synthesized = new Map<string, Synthesized>();

const keys = new Map<string, string>();

/** Knobs that mean the same have the same key. */
function keyOf(knobs: KnobInput): string {
  const text = JSON.stringify(knobs);
  const key = keys.get(text) ?? JSON.stringify(parseConfig({ imageUri, ...knobs }));
  keys.set(text, key);
  return key;
}

/** cdk-nag checks the variants and nothing else, because it takes a fourth of a synthesis. */
const checked = new Set(Object.values(variants).map(keyOf));

/** Each configuration is synthesized once, because that takes longer than everything that tests do with it. */
export function synthesize(knobs: KnobInput = {}): Synthesized {
  const key = keyOf(knobs);
  const known = synthesized.get(key);
  if (known) return known;
  const result = withShortTraces(() => {
    const stack = createStack({ imageUri, ...knobs }, checked.has(key));
    return { stack, template: Template.fromStack(stack) };
  });
  synthesized.set(key, result);
  return result;
}

/** The CDK takes a stack trace of each finding that is acknowledged, and jest looks up each of its frames. */
function withShortTraces<T>(action: () => T): T {
  const { stackTraceLimit } = Error;
  // What fails still says where.
  Error.stackTraceLimit = 1;
  try {
    return action();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export function createStack(knobs: KnobInput, withChecks = false): RealtimeStack {
  const app = newApp();
  if (withChecks) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return new RealtimeStack(app, 'RealtimeStack', parseConfig(knobs));
}

/** Reports of cdk-nag and of the CDK's own validations. A finding that nobody acknowledged ends the synthesis. */
export function reportsOf({ node }: RealtimeStack): Json[] {
  const { outdir } = node.root as App;
  return JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')).pluginReports;
}

/** What no one acknowledged. */
export const openFindings = (reports: Json[]): Json[] =>
  reports.flatMap(({ violations }) => violations).filter(({ severity }) => severity !== 'warning');

export const templateOf = (knobs?: KnobInput): Template => synthesize(knobs).template;

export const resourcesById = (knobs?: KnobInput): Record<string, Json> =>
  templateOf(knobs).toJSON().Resources;

export const warningsFor = (knobs?: KnobInput): string[] => warningsOf(synthesize(knobs).stack);
