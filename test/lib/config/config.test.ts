import { ConfigError, type KnobInput, knobsOfContext, parseConfig } from '../../../lib/config/config.ts';

const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/0123';
const domainName = 'realtime.example.com';
const regionalArn = 'arn:aws:acm:eu-west-1:123456789012:certificate/0123';
const wafWebAclArn =
  'arn:aws:wafv2:us-east-1:123456789012:global/webacl/mine/01234567-89ab-cdef-0123-456789abcdef';
const secretArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:agent-AbCdEf';
const ownDomain = { domainName, hostedZoneId: 'Z0123456789ABC', hostedZoneName: 'example.com' };
const vpc = {
  vpcId: 'vpc-0123abcd',
  availabilityZones: 'us-east-1a,us-east-1b',
  privateSubnetIds: 'subnet-0000000a,subnet-0000000b',
};

function faultsOf(input: KnobInput): string[] {
  try {
    parseConfig(input);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
}

test('no knob needs to be set: the preset is dev, which costs least', () => {
  expect(parseConfig({})).toMatchObject({
    stackName: 'realtime-dev',
    region: 'us-east-1',
    network: { kind: 'new', zones: 2, natGateways: 0 },
    redis: { kind: 'elasticache', nodeType: 'cache.t4g.micro', replicas: 0 },
    edge: { kind: 'cloudfront', webAclRequestsPerAddress: undefined },
    service: { minTasks: 2, maxTasks: 2, connectionsPerTask: 1250, guests: true },
    liveKit: undefined,
    turn: undefined,
    agent: undefined,
    removalPolicy: 'destroy',
    deletionProtection: false,
  });
});

test('an existing Redis may be a cluster, by its configuration endpoint, and without LiveKit', () => {
  const redisAddress = 'clustercfg.mine.x.use1.cache.amazonaws.com:6379';
  expect(parseConfig({ backplane: 'existing', redisAddress }).redis).toMatchObject({
    kind: 'existing',
    host: 'clustercfg.mine.x.use1.cache.amazonaws.com',
    port: 6379,
  });
});

test('LiveKit has a small cache of its own beside shards, and only there', () => {
  const shards = { environment: 'prod', cacheShards: 3, liveKitNodes: 2 };
  const typeOf = (knobs: KnobInput) => {
    const { redis } = parseConfig(knobs);
    return redis?.kind === 'elasticache' ? redis.liveKitNodeType : 'none';
  };
  expect(typeOf(shards)).toBe('cache.t4g.small');
  expect(typeOf({ ...shards, cacheNodeType: 'cache.t4g.micro' })).toBe('cache.t4g.micro');
  expect(typeOf({ ...shards, liveKitCacheNodeType: 'cache.m7g.large' })).toBe('cache.m7g.large');
  expect(typeOf({ ...shards, cacheShards: 1 })).toBeUndefined();
  expect(typeOf({ ...shards, liveKitNodes: 0 })).toBeUndefined();
});

test('prod survives the loss of a zone, scales, and is protected', () => {
  expect(parseConfig({ environment: 'prod' })).toMatchObject({
    stackName: 'realtime-prod',
    network: { zones: 3, natGateways: 2 },
    redis: { nodeType: 'cache.m7g.large', replicas: 1 },
    edge: { webAclRequestsPerAddress: 20_000 },
    service: { minTasks: 3, maxTasks: 12, connectionsPerTask: 5000, guests: false },
    containerInsights: true,
    removalPolicy: 'retain',
    deletionProtection: true,
  });
});

test('a knob that is set replaces the preset’s value', () => {
  const { network, service } = parseConfig({
    environment: 'prod',
    natGateways: 3,
    guests: true,
    minTasks: 5,
  });
  expect(network).toMatchObject({ natGateways: 3 });
  expect(service).toMatchObject({ guests: true, minTasks: 5, maxTasks: 20 });
});

test('text from the command line is read as the value that it means', () => {
  expect(
    parseConfig({
      natGateways: '2',
      containerInsights: 'true',
      availabilityZones: 'us-east-1a, us-east-1b',
      cacheEngineVersion: '8.1',
      logRetentionDays: '30',
    }),
  ).toMatchObject({
    network: { natGateways: 2, zones: ['us-east-1a', 'us-east-1b'] },
    containerInsights: true,
    redis: { engineVersion: '8.1' },
    logRetentionDays: 30,
  });
});

test('a version that JSON turned into a number is still a version', () => {
  expect(parseConfig({ cacheEngineVersion: 8.0 }).redis).toMatchObject({ engineVersion: '8.0' });
});

test.each(['dev', 'prod'])('without a backplane, %s is one task', (environment) => {
  expect(parseConfig({ environment, backplane: 'none' })).toMatchObject({
    redis: undefined,
    service: { minTasks: 1, maxTasks: 1 },
  });
});

describe('groups', () => {
  const calls = { liveKitNodes: 2 };

  test('TURN takes its name from the domain, in a hosted zone with a certificate of its own', () => {
    expect(parseConfig({ ...ownDomain, ...calls }).turn).toEqual({
      domainName: `turn.${domainName}`,
      certificateArn: undefined,
    });
    expect(
      parseConfig({ domainName, certificateArn, turnDomainName: 'turn.example.com', ...calls }).turn,
    ).toEqual({ domainName: 'turn.example.com', certificateArn });
  });

  test.each([
    ['without a domain', calls, false],
    ['without nodes', ownDomain, false],
    ['if it is turned off', { ...ownDomain, ...calls, turn: false }, false],
    ['if it is turned off for want of a name', { domainName, certificateArn, ...calls, turn: false }, false],
    ['without a certificate for its name', { domainName, certificateArn, ...calls }, true],
  ])('there is no TURN %s', (_, knobs, lacksTurnName) => {
    const { turn, liveKit } = parseConfig(knobs);
    expect(turn).toBeUndefined();
    expect(liveKit?.lacksTurnName ?? false).toBe(lacksTurnName);
  });

  test('the number of nodes and of agents is also the maximum, unless that is set', () => {
    const { liveKit, agent } = parseConfig({ ...calls, agentTasks: 3, liveKitMaxNodes: 5 });
    expect(liveKit).toMatchObject({ minTasks: 2, maxTasks: 5 });
    expect(agent).toMatchObject({ minTasks: 3, maxTasks: 3 });
  });

  test('an existing Redis has the default port unless the address has one', () => {
    const at = (redisAddress: string) => parseConfig({ backplane: 'existing', redisAddress }).redis;
    expect(at('cache.internal')).toMatchObject({ kind: 'existing', host: 'cache.internal', port: 6379 });
    expect(at('cache.internal:7000')).toMatchObject({ host: 'cache.internal', port: 7000 });
  });

  test('what a knob of the room log leaves out is left to the service', () => {
    expect(parseConfig({ roomLogSeconds: 60 }).service.roomLog).toEqual({
      messages: undefined,
      bytes: undefined,
      seconds: 60,
      metaSeconds: undefined,
    });
  });
});

test.each<[KnobInput, string]>([
  [{ environment: 'test' }, '`environment` must be one of dev, prod, got: "test"'],
  [{ stackName: '1st' }, '`stackName` must be 1 to 32 letters, digits and hyphens'],
  [{ stackName: 'a'.repeat(33) }, '`stackName` must be'],
  [{ region: 'Virginia' }, '`region` must be the name of a region such as us-east-1, got: "Virginia"'],
  [{ region: 'af-south-1' }, '`domainName` must be set in `region` af-south-1, got: nothing; CloudFront'],
  [{ availabilityZones: 'us-east-1a' }, '`availabilityZones` must be 2 to 6'],
  [{ availabilityZones: ['us-east-1a', 'us-east-1a'] }, '`availabilityZones` must be 2 to 6 different'],
  [{ availabilityZones: ['use1-az1', 'use1-az2'] }, '`availabilityZones` must be 2 to 6 different zone'],
  [{ availabilityZones: 3 }, '`availabilityZones` must be 2 to 6'],
  [
    { region: 'eu-west-1', availabilityZones: 'us-east-1a,eu-west-1b' },
    '`availabilityZones` must lie in `region` eu-west-1, got: us-east-1a',
  ],
  [{ availabilityZoneCount: 1 }, '`availabilityZoneCount` must be a whole number from 2 to 4, got: 1'],
  [{ natGateways: -1 }, '`natGateways` must be a whole number from 0 to 4, got: -1'],
  [{ natGateways: 3 }, '`natGateways` must be at most the number of zones (2), got: 3'],
  [{ vpcId: 'default' }, '`vpcId` must be the id of a VPC such as vpc-0123abcd, got: "default"'],
  [{ ...vpc, availabilityZones: undefined }, '`vpcId` must stand beside `availabilityZones`'],
  [{ ...vpc, privateSubnetIds: undefined }, '`vpcId` must stand beside `privateSubnetIds`'],
  [{ ...vpc, vpcId: undefined }, '`privateSubnetIds` must stand beside `vpcId`'],
  [{ ...vpc, privateSubnetIds: 'subnet-0000000a' }, '`privateSubnetIds` must hold one subnet for each'],
  [{ ...vpc, domainName, certificateArn }, '`publicSubnetIds` must be named for a public load balancer'],
  [{ ...vpc, liveKitNodes: 1 }, '`publicSubnetIds` must be named for LiveKit'],
  [{ ...vpc, privateLink: true }, '`privateLink` must be false with `vpcId`, got: true'],
  [{ backplane: 'redis' }, '`backplane` must be one of elasticache, bypassed, existing, none, got: "redis"'],
  [{ backplane: 'serverless' }, 'got: "serverless"; a cluster is elasticache with `cacheShards` 3 or more'],
  [{ backplane: 'cluster' }, 'Serverless evicts keys (volatile-lru'],
  [{ cacheShards: 0 }, '`cacheShards` must be a whole number from 1 to 90, got: 0; take 1, or 3 where'],
  [{ cacheShards: 91 }, '`cacheShards` must be a whole number from 1 to 90, got: 91'],
  [
    { cacheShards: 2, cacheReplicas: 1 },
    '`cacheShards` must be 1, or 3 or more, got: 2; of two primaries none is a majority',
  ],
  [{ cacheShards: 3 }, '`cacheReplicas` must be 1 or more with `cacheShards` 3, got: 0; a shard without'],
  [
    { cacheShards: 46, cacheReplicas: 1 },
    "`cacheShards` must be at most 45 with `cacheReplicas` 1, got: 46; ElastiCache's quota is 90 nodes in a cluster",
  ],
  [
    { cacheShards: 3, cacheReplicas: 1, cacheFailover: false },
    '`cacheFailover` must be absent with `cacheShards` 3, got: false; ElastiCache has no cluster without failover',
  ],
  [
    { cacheShards: 3, cacheReplicas: 1, backplane: 'none', minTasks: 1 },
    '`cacheShards` must be 1 with `backplane` none, got: 3; it is about the cache that the stack creates: remove it',
  ],
  [
    { cacheShards: 3, cacheReplicas: 1, backplane: 'existing', redisAddress: 'cache:6379' },
    'and an existing Redis says itself that it is a cluster: remove it',
  ],
  [
    { liveKitCacheNodeType: 'cache.t4g.small', liveKitNodes: 2 },
    '`liveKitCacheNodeType` must stand beside `liveKitNodes` and 3 `cacheShards` or more, got: "cache.t4g.small"',
  ],
  [
    { liveKitCacheNodeType: 'cache.t4g.small', cacheShards: 3, cacheReplicas: 1 },
    '`liveKitCacheNodeType` must stand beside `liveKitNodes`',
  ],
  [
    { backplane: 'none', minTasks: 2 },
    '`minTasks` must be 1 without a backplane, and `maxTasks` too, got: 2',
  ],
  [
    { backplane: 'none', maxTasks: 2 },
    '`minTasks` must be 1 without a backplane, and `maxTasks` too, got: 2',
  ],
  [{ backplane: 'existing' }, '`redisAddress` must be set with `backplane` existing'],
  [{ redisAddress: 'cache:6379' }, '`redisAddress` must stand beside `backplane` existing'],
  [
    { backplane: 'existing', redisAddress: 'rediss://cache:6379' },
    '`redisAddress` must be host or host:port, got: "rediss://cache:6379"',
  ],
  [
    { backplane: 'existing', redisAddress: 'mine.serverless.use1.cache.amazonaws.com:6379' },
    '`redisAddress` must not be that of ElastiCache Serverless',
  ],
  [
    {
      backplane: 'existing',
      redisAddress: 'clustercfg.mine.x.use1.cache.amazonaws.com:6379',
      liveKitNodes: 2,
    },
    '`redisAddress` must be a primary endpoint with cluster mode off if there is LiveKit',
  ],
  [
    { backplane: 'existing', redisAddress: 'clustercfg.mine.x.use1.cache.amazonaws.com', redisTls: false },
    '`redisTls` must be true for clustercfg.mine.x.use1.cache.amazonaws.com',
  ],
  [
    { backplane: 'existing', redisAddress: 'master.mine.x.use1.cache.amazonaws.com', redisTls: false },
    '`redisTls` must be true for master.mine.x.use1.cache.amazonaws.com',
  ],
  [
    { backplane: 'existing', redisAddress: 'cache:6379', redisSecurityGroupId: 'sg-0123abcd' },
    '`redisSecurityGroupId` must stand beside `vpcId`',
  ],
  [
    { backplane: 'existing', redisAddress: 'cache', redisSecretArn: 'my-secret' },
    '`redisSecretArn` must be the whole ARN of a secret',
  ],
  [{ cacheNodeType: 'cache.t9g.micro' }, '`cacheNodeType` must be a node type of ElastiCache'],
  [{ cacheNodeType: 'cache.t4g.large' }, '`cacheNodeType` must be a node type of ElastiCache'],
  [{ cacheNodeType: 't4g.micro' }, '`cacheNodeType` must be a node type of ElastiCache'],
  [{ cacheReplicas: 6 }, '`cacheReplicas` must be a whole number from 0 to 5'],
  [
    { cacheEngineVersion: '9.9' },
    '`cacheEngineVersion` must be one of 7.2, 8.0, 8.1, 8.2, 9.0, 9.1, got: "9.9"',
  ],
  [{ cacheMaintenanceWindow: 'sunday' }, '`cacheMaintenanceWindow` must be a window in UTC'],
  [{ cacheMaintenanceWindow: 'sun:05:00-sun:05:30' }, '`cacheMaintenanceWindow` must last an hour or more'],
  [
    { cacheMaintenanceWindow: 'sun:02:30-sun:03:30' },
    "`cacheMaintenanceWindow` must not meet the snapshot's window",
  ],
  [{ passwordVersion: 0 }, '`passwordVersion` must be a whole number from 1 to 100000, got: 0'],
  [{ minTasks: 1.5 }, '`minTasks` must be a whole number from 0 to 100, got: 1.5'],
  [{ minTasks: '' }, '`minTasks` must be a whole number from 0 to 100, got: ""'],
  [{ minTasks: 'two' }, '`minTasks` must be a whole number from 0 to 100, got: "two"'],
  [{ minTasks: 4, maxTasks: 3 }, '`maxTasks` must be `minTasks` (4) or more, got: 3'],
  [{ minTasks: 0, maxTasks: 3 }, '`maxTasks` must be left out while `minTasks` is 0, got: 3'],
  [{ cpu: 300 }, '`cpu` must be one of 256, 512'],
  [{ cpu: 256, memoryMiB: 4096 }, '`memoryMiB` must be 512 to 2048 in steps of 512 with `cpu` 256'],
  [{ cpu: 8192, memoryMiB: 17408 }, '`memoryMiB` must be 16384 to 61440 in steps of 4096'],
  [{ cpuArchitecture: 'amd64' }, '`cpuArchitecture` must be one of arm64, x86_64, got: "amd64"'],
  [{ imageUri: 'https://registry/app' }, '`imageUri` must be an image reference'],
  [{ drainSeconds: 601 }, '`drainSeconds` must be a whole number from 0 to 600'],
  [{ idleTimeoutSeconds: 45 }, "`idleTimeoutSeconds` must be above Socket.IO's heartbeat of 45 s, got: 45"],
  [{ idleTimeoutSeconds: 4001 }, '`idleTimeoutSeconds` must be a whole number from 1 to 4000'],
  [{ certificateArn: 'mine', domainName }, '`certificateArn` must be the ARN of a certificate of ACM'],
  [
    { region: 'eu-west-1', certificateArn, domainName },
    '`certificateArn` must name a certificate in `region` eu-west-1',
  ],
  [
    { region: 'eu-west-1', cloudFront: true, domainName, certificateArn: regionalArn },
    '`certificateArn` must name a certificate in us-east-1 for CloudFront, got: "arn:aws:acm:eu-west-1:123456789012:certificate/0123"; `aws acm request-certificate --region us-east-1 --validation-method DNS --domain-name realtime.example.com`',
  ],
  [
    { region: 'eu-west-1', cloudFront: true, ...ownDomain },
    '`certificateArn` must name a certificate in us-east-1 for CloudFront, got: nothing; a stack in eu-west-1',
  ],
  [{ cloudFront: false }, '`cloudFront` must be true or absent without `domainName`, got: false'],
  [
    { region: 'af-south-1', cloudFront: true, domainName, certificateArn },
    '`cloudFront` must be false or absent in `region` af-south-1, got: true',
  ],
  [
    {
      region: 'eu-west-1',
      cloudFront: true,
      domainName,
      certificateArn,
      turnDomainName: 'turn.example.com',
      liveKitNodes: 2,
    },
    '`turnDomainName` must stand beside `hostedZoneId` in `region` eu-west-1, got: "turn.example.com"',
  ],
  [{ tags: { 'aws:mine': 'x' } }, '`tags` must be at most 40 tags'],
  [{ tags: 'realtime-stack:deployment=x' }, '`tags` must be at most 40 tags'],
  [{ tags: { team: 'a;b' } }, '`tags` must be at most 40 tags'],
  [
    { permissionsBoundary: 'a boundary' },
    '`permissionsBoundary` must be the name or the ARN of a managed policy',
  ],
  [{ bootstrapQualifier: 'Mine' }, '`bootstrapQualifier` must be 1 to 10 lower-case letters and digits'],
  [{ certificateArn }, '`certificateArn` must stand beside `domainName`'],
  [{ domainName }, '`domainName` must stand beside `hostedZoneId` or `certificateArn`'],
  [{ domainName, hostedZoneId: 'Z0123456789ABC' }, '`hostedZoneId` must stand beside `hostedZoneName`'],
  [
    { domainName, hostedZoneId: 'Z0123456789ABC', hostedZoneName: 'example.org' },
    '`domainName` must lie in `hostedZoneName` example.org, got: "realtime.example.com"',
  ],
  [{ certificateArn, domainName: 'https://x.com' }, '`domainName` must be a domain name'],
  [{ region: 'eu-west-1', wafWebAclArn }, '`wafWebAclArn` must stand beside `waf` true'],
  [{ waf: true, wafWebAclArn }, '`wafWebAclArn` must be absent in us-east-1'],
  [{ wafRequestsPerAddress: 10 }, '`wafRequestsPerAddress` must be a whole number from 100'],
  [{ containerInsights: 'yes' }, '`containerInsights` must be true or false, got: "yes"'],
  [{ authJwksUrl: 'http://id.example.com/keys' }, '`authJwksUrl` must be an https URL'],
  [{ authIssuer: 'me' }, '`authIssuer` must stand beside `authJwksUrl`'],
  [{ authSubjectClaim: 'nameid' }, '`authSubjectClaim` must stand beside `authJwksUrl`'],
  [{ authNameClaim: 'a b' }, '`authNameClaim` must name a claim'],
  [
    { corsOrigins: 'app.example.com, https://b.example.com/path' },
    '`corsOrigins` must list origins, got: "app.example.com, https://b.example.com/path"; "app.example.com" has no scheme: write https://app.example.com; "https://b.example.com/path" has more',
  ],
  [
    { corsOrigins: ['https://*'] },
    '`corsOrigins` must list origins, got: ["https://*"]; "https://*" has a *',
  ],
  [{ corsOrigins: '' }, '`corsOrigins` must list 1 to 20 origins'],
  [{ corsOrigins: [1] }, '`corsOrigins` must list 1 to 20 origins, got: 1'],
  [{ roomLogMessages: 0 }, '`roomLogMessages` must be a whole number from 10 to 100000, got: 0'],
  [{ roomLogSeconds: 90_000 }, '`roomLogSeconds` must be a whole number from 10 to 86400, got: 90000'],
  [
    { roomLogSeconds: 7_200, roomMetaSeconds: 3_600 },
    '`roomMetaSeconds` must be above `roomLogSeconds` (7200), got: 3600',
  ],
  [
    { emitter: 'chat=emit' },
    '`emitter` must list namespaces, each with emit or publish, got: "chat=emit"; write it as /=emit,/bots=publish',
  ],
  [
    { pythonSocketio: '/bots=emit,/=emit' },
    '`pythonSocketio` must not name the namespace / without `mainHub`, got: "/bots=emit,/=emit"; set mainHub=true',
  ],
  [
    { backplane: 'none', emitter: '/bots=emit' },
    '`emitter` must be absent with `backplane` none, got: "/bots=emit"; what it names is heard in Redis',
  ],
  [{ modelProvider: 'bedrock' }, '`modelId` must be set with `modelProvider` bedrock'],
  [{ modelId: 'amazon.nova-lite-v1:0' }, '`modelId` must stand beside `modelProvider` bedrock'],
  [
    { modelProvider: 'bedrock', modelId: 'eu.amazon.nova-lite-v1:0' },
    '`modelRegions` must name the regions of the inference profile eu.amazon.nova-lite-v1:0',
  ],
  [{ liveKitNodes: 2, backplane: 'none' }, '`liveKitNodes` must be at most 1 without a backplane'],
  [
    { liveKitNodes: 3, liveKitMaxNodes: 2 },
    '`liveKitMaxNodes` must be `liveKitNodes` (3) or more, with 2 of those at least, got: 2',
  ],
  [{ liveKitNodes: 1, liveKitMaxNodes: 4 }, '`liveKitMaxNodes` must be `liveKitNodes` (1) or more'],
  [
    { maxCallDrainMinutes: 141 },
    '`maxCallDrainMinutes` must be at most 150 together with `liveKitStopMinutes`, got: 141 + 10',
  ],
  [{ maxCallDrainMinutes: 60, liveKitStopMinutes: 91 }, 'got: 60 + 91; CloudFormation gives up'],
  [{ liveKitCapacity: 'eks' }, '`liveKitCapacity` must be one of ec2, fargate, got: "eks"'],
  [
    { liveKitCpu: 1024, liveKitMemoryMiB: 1024 },
    '`liveKitMemoryMiB` must be 2048 to 8192 in steps of 1024 with `liveKitCpu` 1024, got: 1024; take 2048',
  ],
  [{ liveKitCpu: 1000 }, '`liveKitCpu` must be one of 256, 512, 1024'],
  [{ turnDomainName: 'turn.example.com' }, '`turnDomainName` must stand beside `domainName`'],
  [
    { ...ownDomain, turnDomainName: 'realtime.example.com' },
    '`turnDomainName` must be another name than `domainName`, got: "realtime.example.com"',
  ],
  [
    { ...ownDomain, turnDomainName: 'turn.example.org' },
    '`turnDomainName` must lie in `hostedZoneName` example.com, got: "turn.example.org"',
  ],
  [{ agentMode: 'sing' }, '`agentMode` must be one of echo, voice'],
  [{ agentMode: 'voice' }, '`voiceApiSecretArn` must be set with `agentMode` voice'],
  [{ voiceName: 'ada' }, '`voiceName` must stand beside `agentMode` voice, got: "ada"'],
  [{ voiceApiSecretArn: 'sk-0123456789' }, 'with its six last characters, got: 13 characters that are none'],
  [{ voiceApiUrl: 'http://models.example.com' }, '`voiceApiUrl` must be an https URL on port 443'],
  [{ voiceApiUrl: 'https://models.example.com:8443/v1' }, '`voiceApiUrl` must be an https URL on port 443'],
  [{ agentCallsPerTask: 0 }, '`agentCallsPerTask` must be a whole number from 1 to 100, got: 0'],
  [{ liveKitImageUri: 'https://x' }, '`liveKitImageUri` must be an image reference'],
  [{ agentImageUri: 'https://x' }, '`agentImageUri` must be an image reference'],
  [{ sidecarImageUri: 'https://x' }, '`sidecarImageUri` must be an image reference'],
  [
    { secretsKmsKeyArn: 'arn:aws:kms:us-east-1:123456789012:alias/mine' },
    '`secretsKmsKeyArn` must be the ARN of a KMS key',
  ],
  [
    { cacheReplicas: 0, cacheFailover: true },
    '`cacheFailover` must be absent with `cacheReplicas` 0, got: true',
  ],
  [{ agentHealthCommand: 'true' }, '`agentHealthCommand` must stand beside `agentImageUri`, got: "true"'],
  [
    { agentEnvironment: { 'A-B': '1' } },
    '`agentEnvironment` must be variables with text, got: those named A-B',
  ],
  [{ agentEnvironment: 'LIVEKIT_URL=ws://x' }, 'none that the stack sets itself, got: LIVEKIT_URL'],
  [
    { agentEnvironment: 'KEY=a', agentSecrets: { KEY: secretArn } },
    'each variable once together with `agentSecrets`',
  ],
  [{ agentSecrets: 'KEY=sk-0123456789' }, '`agentSecrets` must be variables with the whole ARN of a secret'],
  [{ agentTasks: 2, agentMaxTasks: 1 }, '`agentMaxTasks` must be `agentTasks` (2) or more'],
  [{ agentTasks: 0, agentMaxTasks: 1 }, '`agentMaxTasks` must be `agentTasks` (0) or more, and that not 0'],
  [
    { liveKitNodes: 2, liveKitCapacity: 'ec2', liveKitInstanceType: 't4g.micro' },
    '`liveKitInstanceType` must have 2 GiB of memory or more, got: "t4g.micro"',
  ],
  [{ liveKitInstanceType: 'big' }, '`liveKitInstanceType` must be an EC2 instance type'],
  [{ alarmEmail: 'ops' }, '`alarmEmail` must be an e-mail address'],
  [{ logRetentionDays: 31 }, '`logRetentionDays` must be a number of days that CloudWatch Logs knows'],
  [{ removalPolicy: 'keep' }, '`removalPolicy` must be one of destroy, retain, got: "keep"'],
  [{ desiredCount: 3 }, '`desiredCount` must be a knob, got: 3; take one of environment, stackName'],
])('%j is refused', (input, fault) => {
  const faults = faultsOf(input);
  expect(faults).toEqual([expect.stringContaining(fault)]);
  // The rule, the value, and what to do.
  expect(faults[0]).toMatch(/^- `\w+` must .+, got: .+; .+/);
});

test.each([
  ['minTask', 'minTasks'],
  ['min-tasks', 'minTasks'],
  ['livekitnodes', 'liveKitNodes'],
  ['roomLogSecond', 'roomLogSeconds'],
])('%s may be meant as %s', (given, meant) => {
  expect(faultsOf({ [given]: 3 })).toEqual([`- \`${given}\` must be a knob, got: 3; did you mean ${meant}?`]);
});

test.each([
  [{ authSecret: 'hunter2' }],
  [{ redisPassword: 'hunter2' }],
  [{ serviceToken: 'hunter2' }],
  [{ voiceApiSecretArn: 'hunter2' }],
  [{ backplane: 'existing', redisAddress: 'redis://app:hunter2@cache:6379' }],
  [{ backplane: 'existing', redisAddress: 'cache:6379,password=hunter2' }],
  [{ imageUri: 'https://me:hunter2@registry/app' }],
])('what may be a secret is not shown: %j', (input) => {
  const faults = faultsOf(input).join();
  expect(faults).toMatch(/got: \d+ characters/);
  expect(faults).not.toContain('hunter2');
});

test('all faults are reported at once', () => {
  expect(
    faultsOf({ natGateways: 9, cpu: 'much', backplane: 'none', minTasks: 5, idleTimeoutSeconds: 10 }),
  ).toEqual([
    expect.stringContaining('`natGateways`'),
    expect.stringContaining('`cpu`'),
    expect.stringContaining('`minTasks`'),
    expect.stringContaining('`idleTimeoutSeconds`'),
  ]);
});

test.each(['eu-central-1', 'ap-northeast-3', 'sa-east-1'])('region %s', (region) => {
  expect(parseConfig({ region }).region).toBe(region);
});

test('variables are read from an object, or from text', () => {
  const environment = { LOG_LEVEL: 'debug', GREETING: 'a=b' };
  const agentOf = (agentEnvironment: unknown) => parseConfig({ liveKitNodes: 2, agentEnvironment }).agent;
  expect(agentOf(environment)).toMatchObject({ environment });
  expect(agentOf('LOG_LEVEL=debug,GREETING=a=b')).toMatchObject({ environment });
  const [fault] = faultsOf({ agentSecrets: 'KEY=sk-0123456789' });
  expect(fault).not.toContain('sk-');
  expect(
    parseConfig({ liveKitNodes: 2, agentSecrets: { KEY: `${secretArn}:field`, WHOLE: secretArn } }).agent
      ?.secrets,
  ).toEqual([
    { variable: 'KEY', arn: secretArn, field: 'field' },
    { variable: 'WHOLE', arn: secretArn, field: undefined },
  ]);
});

test('with a domain, any region will do', () => {
  const hosted = { domainName, hostedZoneId: 'Z0123456789ABC', hostedZoneName: 'example.com' };
  expect(parseConfig({ region: 'us-gov-west-1', ...hosted }).region).toBe('us-gov-west-1');
});

test('the CDK’s own keys in its context are no knobs', () => {
  expect(
    knobsOfContext({
      '@aws-cdk/core:target-partitions': ['aws'],
      'aws:cdk:enable-path-metadata': true,
      'availability-zones:account=1:region=us-east-1': [],
      'acknowledged-issue-numbers': [1],
      backplane: 'none',
    }),
  ).toEqual({ backplane: 'none' });
});

test('the customer’s key is of the stack’s region', () => {
  const kmsKeyArn = 'arn:aws:kms:eu-west-1:123456789012:key/0123';
  expect(faultsOf({ kmsKeyArn })).toEqual([
    expect.stringContaining('`kmsKeyArn` must name a key in `region`'),
  ]);
  expect(faultsOf({ kmsKeyArn, region: 'eu-west-1' })).toEqual([]);
});

test('settings of LiveKit are read from an object, or from JSON', () => {
  const liveKitSettings = { maxParticipants: 50, webhookUrls: ['https://billing.example.com/calls'] };
  const settingsOf = (given: unknown) =>
    parseConfig({ liveKitNodes: 2, liveKitSettings: given }).liveKit?.settings;
  expect(settingsOf(liveKitSettings)).toEqual(liveKitSettings);
  expect(settingsOf(JSON.stringify(liveKitSettings))).toEqual(liveKitSettings);
});

test.each([
  [
    { maxParticipant: 50 },
    'must have settings that it knows, got: maxParticipant; take some of emptyTimeout',
  ],
  [{ maxParticipants: '50' }, 'must have `maxParticipants` as a whole number from 1 to 100000, got: "50"'],
  [
    { webhookUrls: ['http://plain.example.com'] },
    'must have `webhookUrls` as 1 to 10 https URLs, got: "http:',
  ],
  ['50 people', 'must be an object of settings, got: "50 people"; write JSON such as'],
])('settings %j are refused', (liveKitSettings, message) => {
  expect(faultsOf({ liveKitSettings })).toEqual([expect.stringContaining(`\`liveKitSettings\` ${message}`)]);
});
