import {
  ConfigError,
  knobsOfContext,
  parseConfig,
  type RealtimeConfigInput,
} from '../../../lib/config/config.ts';

const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/0123';
const domainName = 'realtime.example.com';

function faultsOf(input: RealtimeConfigInput): string[] {
  try {
    parseConfig(input);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
}

test('no knob need be given', () => {
  expect(parseConfig({})).toEqual({
    stackName: 'RealtimeStack',
    region: 'us-east-1',
    availabilityZoneCount: 3,
    natGateways: 1,
    backplane: 'elasticache',
    cacheNodeType: 'cache.t4g.micro',
    cacheReplicas: 1,
    cacheEngineVersion: '8.2',
    desiredCount: 2,
    cpu: 256,
    memoryMiB: 512,
    cpuArchitecture: 'arm64',
    idleTimeoutSeconds: 120,
    containerInsights: false,
  });
});

test('text from the command line is read as what it means', () => {
  expect(
    parseConfig({
      natGateways: '2',
      containerInsights: 'true',
      availabilityZones: 'us-east-1a, us-east-1b',
      cacheEngineVersion: '8.1',
    }),
  ).toMatchObject({
    natGateways: 2,
    containerInsights: true,
    availabilityZones: ['us-east-1a', 'us-east-1b'],
    cacheEngineVersion: '8.1',
  });
});

test('a version that JSON made a number is still a version', () => {
  expect(parseConfig({ cacheEngineVersion: 8.0 }).cacheEngineVersion).toBe('8.0');
});

test('without a backplane the default is one task', () => {
  expect(parseConfig({ backplane: 'none' }).desiredCount).toBe(1);
  expect(parseConfig({ backplane: 'none', desiredCount: 1 }).desiredCount).toBe(1);
});

test.each<[RealtimeConfigInput, string]>([
  [{ stackName: '1st' }, '`stackName` must be 1 to 32 letters, digits and hyphens'],
  [{ stackName: 'a'.repeat(33) }, '`stackName` must be'],
  [{ region: 'Virginia' }, '`region` must be the name of a region such as us-east-1, got: "Virginia"'],
  [{ region: undefined, availabilityZones: 'us-east-1a' }, '`availabilityZones` must be 2 to 6'],
  [{ availabilityZones: ['us-east-1a', 'us-east-1a'] }, '`availabilityZones` must be 2 to 6 different'],
  [
    { availabilityZones: ['use1-az1', 'use1-az2'] },
    '`availabilityZones` must be 2 to 6 different zone names',
  ],
  [{ availabilityZones: 3 }, '`availabilityZones` must be 2 to 6'],
  [
    { region: 'eu-west-1', availabilityZones: 'us-east-1a,eu-west-1b' },
    '`availabilityZones` must lie in `region` eu-west-1, got: us-east-1a',
  ],
  [{ availabilityZoneCount: 1 }, '`availabilityZoneCount` must be a whole number from 2 to 6, got: 1'],
  [{ natGateways: 0 }, '`natGateways` must be a whole number from 1 to 6, got: 0'],
  [{ natGateways: 4 }, '`natGateways` must be at most the number of zones (3), got: 4'],
  [{ backplane: 'redis' }, '`backplane` must be one of elasticache, none, got: "redis"'],
  [{ backplane: 'none', desiredCount: 2 }, '`desiredCount` must be 1 without a backplane, got: 2'],
  [{ cacheNodeType: 'cache.t9g.micro' }, '`cacheNodeType` must be a node type of ElastiCache'],
  [{ cacheNodeType: 'cache.t4g.large' }, '`cacheNodeType` must be a node type of ElastiCache'],
  [{ cacheNodeType: 't4g.micro' }, '`cacheNodeType` must be a node type of ElastiCache'],
  [{ cacheReplicas: 6 }, '`cacheReplicas` must be a whole number from 0 to 5'],
  [{ cacheEngineVersion: '9.9' }, '`cacheEngineVersion` must be one of 7.2, 8.0, 8.1, 8.2, got: "9.9"'],
  [{ desiredCount: 1.5 }, '`desiredCount` must be a whole number from 1 to 100, got: 1.5'],
  [{ desiredCount: '' }, '`desiredCount` must be a whole number from 1 to 100, got: ""'],
  [{ desiredCount: 'two' }, '`desiredCount` must be a whole number from 1 to 100, got: "two"'],
  [{ cpu: 300 }, '`cpu` must be one of 256, 512'],
  [
    { cpu: 256, memoryMiB: 4096 },
    '`memoryMiB` must be 512 to 2048 in steps of 512 with `cpu` 256, got: 4096',
  ],
  [{ cpu: 8192, memoryMiB: 17408 }, '`memoryMiB` must be 16384 to 61440 in steps of 4096'],
  [{ cpuArchitecture: 'amd64' }, '`cpuArchitecture` must be one of arm64, x86_64, got: "amd64"'],
  [{ imageUri: 'https://registry/app' }, '`imageUri` must be an image reference'],
  [{ idleTimeoutSeconds: 45 }, "`idleTimeoutSeconds` must be above Socket.IO's heartbeat of 45 s, got: 45"],
  [{ idleTimeoutSeconds: 4001 }, '`idleTimeoutSeconds` must be a whole number from 1 to 4000'],
  [{ certificateArn: 'mine', domainName }, '`certificateArn` must be the ARN of a certificate of ACM'],
  [
    { region: 'eu-west-1', certificateArn, domainName },
    '`certificateArn` must name a certificate in `region` eu-west-1',
  ],
  [{ certificateArn }, '`domainName` must be set if and only if `certificateArn` is'],
  [{ domainName }, '`domainName` must be set if and only if `certificateArn` is'],
  [{ certificateArn, domainName: 'https://x.com' }, '`domainName` must be a domain name'],
  [{ containerInsights: 'yes' }, '`containerInsights` must be true or false, got: "yes"'],
  [{ desiredCuont: 3 }, '`desiredCuont` must be a knob, got: 3; take one of stackName, region'],
])('%j is refused', (input, fault) => {
  const faults = faultsOf(input);
  expect(faults).toEqual([expect.stringContaining(fault)]);
  // The rule, the value, and what to do.
  expect(faults[0]).toMatch(/^- `\w+` must .+, got: .+; .+/);
});

test('all faults are told at once', () => {
  expect(
    faultsOf({ natGateways: 9, cpu: 'much', backplane: 'none', desiredCount: 5, idleTimeoutSeconds: 10 }),
  ).toEqual([
    expect.stringContaining('`natGateways`'),
    expect.stringContaining('`cpu`'),
    expect.stringContaining('`desiredCount`'),
    expect.stringContaining('`idleTimeoutSeconds`'),
  ]);
});

test.each(['eu-central-1', 'us-gov-west-1', 'ap-southeast-5'])('region %s', (region) => {
  expect(parseConfig({ region }).region).toBe(region);
});

test('what the CDK keeps in its context is no knob', () => {
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
