import type { KnobInput } from '../../../lib/config/config.ts';
import { type Knob, knobs } from '../../../lib/config/knobs.ts';
import { synthesize, templateOf, variants } from './templates.ts';

/** Knobs beside which a knob is sampled. Samples with the same base are synthesized in one template. */
const ownParts = { waf: true, liveKitNodes: 2 };
const existingParts = { backplane: 'existing', liveKitNodes: 2, availabilityZones: 'us-east-1a,us-east-1b' };

interface Sample {
  readonly base: KnobInput;
  /** A value that no preset has. */
  readonly value: unknown;
  /** What it leaves in the template, and what the template of the base does not contain. */
  readonly trace: string | RegExp;
}

const sample =
  (base: KnobInput) =>
  (value: unknown, trace: string | RegExp = String(value)): Sample => ({ base, value, trace });
const own = sample(ownParts);
const existing = sample(existingParts);
const shards = sample(variants['several shards']);
const secret = (name: string) => `arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}-AbCdEf`;
const variable = (name: string, value: string | number) => `"Name":"${name}","Value":"${value}"`;

/** A sample of every knob, as the compiler demands, or the reason why the template shows no trace of it. */
const samples: Record<Knob, Sample | 'is checked only'> = {
  environment: sample({})('prod', 'realtime-prod'),
  stackName: own('Sampled', '/realtime-stack/Sampled/redis-url'),
  region: own('eu-west-1', 'pl-4fa04526'),
  tags: own({ Sampled: 'tag of all' }, '"Value":"tag of all"'),
  permissionsBoundary: own('sampled-boundary', ':policy/sampled-boundary'),
  bootstrapQualifier: own('sampled', '/cdk-bootstrap/sampled/version'),
  availabilityZones: sample({})('us-east-1c,us-east-1d', '"AvailabilityZone":"us-east-1c"'),
  availabilityZoneCount: own(4, /"Fn::Select":\[3,\{"Fn::GetAZs":""\}\]/),
  natGateways: own(1, 'AWS::EC2::NatGateway'),
  privateLink: own(true, '"VpcEndpointType":"Interface"'),
  vpcId: existing('vpc-0a0a0a0a'),
  publicSubnetIds: existing('subnet-0a0a0a0a,subnet-0b0b0b0b', 'subnet-0a0a0a0a'),
  privateSubnetIds: existing('subnet-0c0c0c0c,subnet-0d0d0d0d', 'subnet-0c0c0c0c'),
  isolatedSubnetIds: sample(variants['existing VPC'])('subnet-0e0e0e0e,subnet-0f0f0f0f', 'subnet-0e0e0e0e'),
  backplane: sample({})('none', variable('REDIS_URL', 'none')),
  cacheNodeType: own('cache.r7g.xlarge'),
  cacheReplicas: own(3, '"NumCacheClusters":4'),
  cacheFailover: sample({ ...variants.prod })(false, '"AutomaticFailoverEnabled":false'),
  cacheShards: shards(4, '"NumNodeGroups":4'),
  cacheEngineVersion: own('8.1', '"EngineVersion":"8.1"'),
  cacheSnapshotDays: own(5, '"SnapshotRetentionLimit":5'),
  cacheMaintenanceWindow: own('mon:10:00-mon:12:00'),
  passwordVersion: own(7, 'PasswordA7'),
  redisAddress: existing('redis.internal:7777', '://redis.internal:7777'),
  redisSecurityGroupId: existing('sg-0a0a0a0a'),
  redisSecretArn: existing(secret('sampled-redis')),
  redisSecretForm: sample(variants['existing Redis'])(
    'password',
    `"ValueFrom":"${variants['existing Redis'].redisSecretArn}"`,
  ),
  redisTls: existing(false, '"redis://'),
  minTasks: own(4, '"MinCapacity":4'),
  maxTasks: own(17, '"MaxCapacity":17'),
  connectionsPerTask: own(777, '"TargetValue":777'),
  recreateTasks: own(true, '"MinimumHealthyPercent":0'),
  cpu: own(2048, '"Cpu":"2048"'),
  memoryMiB: own(5120, '"Memory":"5120"'),
  cpuArchitecture: own('x86_64', '"CpuArchitecture":"X86_64"'),
  imageUri: own('public.ecr.aws/team/sampled:1'),
  ecsExec: own(true, '"EnableExecuteCommand":true'),
  drainSeconds: own(45, variable('DRAIN_SECONDS', 45)),
  guests: own(false, variable('GUESTS', 'false')),
  authJwksUrl: own('https://id.example.com/sampled'),
  authIssuer: own('sampled-issuer'),
  authAudience: own('sampled-audience'),
  authSubjectClaim: own('sampled-subject', variable('AUTH_SUBJECT_CLAIM', 'sampled-subject')),
  authNameClaim: own('sampled-name', variable('AUTH_NAME_CLAIM', 'sampled-name')),
  mainHub: own(true, variable('MAIN_HUB', 'true')),
  pythonSocketio: own('/sampled=emit', variable('PYTHON_SOCKETIO', '/sampled=emit')),
  pythonSocketioChannel: sample({ pythonSocketio: '/chat=emit' })('sampled-channel', '&sampled-channel'),
  pythonSocketioVersion: sample({ pythonSocketio: '/chat=emit' })('5.10.0'),
  emitter: own('/sampled=publish', '&socket.io#/sampled#*'),
  emitterPrefix: sample({ emitter: '/chat=emit' })('sampled-prefix', '&sampled-prefix#/chat#*'),
  corsOrigins: own('https://sampled.example.com'),
  roomLogMessages: own(321, variable('ROOM_LOG_MESSAGES', 321)),
  roomLogBytes: own(54_321, variable('ROOM_LOG_BYTES', 54_321)),
  roomLogSeconds: own(123, variable('ROOM_LOG_SECONDS', 123)),
  roomMetaSeconds: own(7_654, variable('ROOM_META_SECONDS', 7_654)),
  modelProvider: own('bedrock', variable('MODEL_PROVIDER', 'bedrock')),
  modelId: own('eu.sampled.model-v1:0', variable('MODEL_ID', 'eu.sampled.model-v1:0')),
  modelRegions: own('eu-west-1,eu-north-1', 'bedrock:eu-north-1::foundation-model'),
  domainName: existing('sampled.example.com', '"Name":"sampled.example.com."'),
  cloudFront: sample(variants['own domain'])(true, '"Aliases":["realtime.example.com"]'),
  hostedZoneId: existing('Z9999999999999'),
  hostedZoneName: 'is checked only',
  certificateArn: existing('arn:aws:acm:us-east-1:123456789012:certificate/sampled'),
  idleTimeoutSeconds: own(300, '"Key":"idle_timeout.timeout_seconds","Value":"300"'),
  waf: existing(true, 'AWS::WAFv2::WebACL'),
  wafWebAclArn: own(
    'arn:aws:wafv2:us-east-1:123456789012:global/webacl/mine/01234567-89ab-cdef-0123-456789abcdef',
  ),
  wafRequestsPerAddress: existing(54_321, '"Limit":54321'),
  liveKitNodes: own(3, '"DesiredCount":3'),
  liveKitCapacity: existing('ec2', 'AWS::AutoScaling::AutoScalingGroup'),
  liveKitInstanceType: existing('c7i.4xlarge'),
  liveKitCpu: own(4096, '"Cpu":"4096"'),
  liveKitMemoryMiB: own(9216, '"Memory":"9216"'),
  liveKitMaxNodes: existing(9, '"MaxCapacity":9'),
  liveKitCacheNodeType: shards('cache.r6g.large'),
  liveKitKeyVersion: own(41, 'LiveKitKeyVersion41'),
  liveKitImageUri: own('my.registry/sampled-livekit:1'),
  liveKitSettings: own({ maxParticipants: 4_711 }, '\\"max_participants\\": 4711'),
  sidecarImageUri: own('my.registry/sampled-sidecar:1'),
  maxCallDrainMinutes: own(77, variable('MAX_CALL_DRAIN_MINUTES', 77)),
  liveKitStopMinutes: existing(13, '"StopTimeout":780'),
  turn: sample({ ...variants['own domain'], turn: false })(true, 'external_tls'),
  turnDomainName: existing('relay.example.com', '"Name":"relay.example.com."'),
  agentTasks: own(3, '"MinCapacity":3'),
  agentMaxTasks: own(11, '"MaxCapacity":11'),
  agentCallsPerTask: own(19, '"TargetValue":19'),
  agentImageUri: own('my.registry/sampled-agent:1'),
  agentHealthCommand: own('python3 sampled.py', '["CMD-SHELL","python3 sampled.py"]'),
  agentReadOnlyRoot: own(false, '"Name":"agent","ReadonlyRootFilesystem":false'),
  agentEnvironment: own('LOG_LEVEL=debug', variable('LOG_LEVEL', 'debug')),
  agentSecrets: own({ SAMPLED: `${secret('sampled-agent')}:field` }, `${secret('sampled-agent')}:field::`),
  agentMode: own('voice', variable('AGENT_MODE', 'voice')),
  voiceApiSecretArn: own(secret('sampled-voice')),
  voiceApiUrl: own('https://models.example.com/sampled'),
  voiceSpeechToTextModel: own('sampled-ears'),
  voiceLanguageModel: own('sampled-mind'),
  voiceTextToSpeechModel: own('sampled-mouth'),
  voiceName: own('sampled-voice-name'),
  voiceInstructions: own('Speak of samples.'),
  kmsKeyArn: sample(variants['own domain'])('arn:aws:kms:us-east-1:123456789012:key/sampled-own'),
  secretsKmsKeyArn: own('arn:aws:kms:us-east-1:123456789012:key/sampled'),
  containerInsights: own(true, '"Value":"enhanced"'),
  dashboard: own(true, 'AWS::CloudWatch::Dashboard'),
  alarmEmail: own('sampled@example.com'),
  logRetentionDays: own(365, '"RetentionInDays":365'),
  removalPolicy: own('retain', '"DeletionPolicy":"RetainExceptOnCreate"'),
  deletionProtection: own(true, '"Key":"deletion_protection.enabled","Value":"true"'),
};

const sampled = Object.entries(samples).filter(
  (entry): entry is [string, Sample] => typeof entry[1] === 'object',
);

/** The base with the values of all its samples. */
const together = (base: KnobInput): KnobInput => ({
  ...base,
  // A hosted zone needs its name.
  ...(base === existingParts && { hostedZoneName: 'example.com' }),
  ...Object.fromEntries(
    sampled.filter(([, each]) => each.base === base).map(([knob, { value }]) => [knob, value]),
  ),
});

test('there is a sample of every knob', () => {
  expect(Object.keys(samples).sort()).toEqual(Object.keys(knobs.shape).sort());
});

for (const base of new Set(sampled.map(([, each]) => each.base))) {
  const isShared = base === ownParts || base === existingParts;
  const [set, unset] = [together(base), isShared ? variants['LiveKit on Fargate'] : base].map((knobs) =>
    JSON.stringify(templateOf(knobs).toJSON()),
  );
  test.each(sampled.filter(([, each]) => each.base === base))('%s reaches its resource', (_, { trace }) => {
    expect(set).toMatch(patternOf(trace));
    expect(unset).not.toMatch(patternOf(trace));
  });
}

function patternOf(trace: string | RegExp): RegExp {
  return typeof trace === 'string' ? new RegExp(trace.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : trace;
}

test('deletion protection also protects the stack', () => {
  expect(synthesize(together(ownParts)).stack.terminationProtection).toBe(true);
});
