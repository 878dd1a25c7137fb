import { z } from 'zod';
import { callKnobs } from './call-knobs.ts';
import { fargateCpus } from './fargate-sizes.ts';
import { domain, imageReference } from './patterns.ts';
import { flag, must, names, oneOf, secretArn, text, version, whole } from './readers.ts';

export const environments = ['dev', 'prod'] as const;
export type EnvironmentName = (typeof environments)[number];

const cacheNodeTypes =
  /^cache\.((t3|t4g)\.(micro|small|medium)|(m5|r5)\.(large|(2|4|12|24)?xlarge)|(m6g|m7g|r6g|r7g|c7gn)\.(large|(2|4|8|12|16)?xlarge))$/;

/** Why neither is offered, and what to do instead. */
const onlyOneShard =
  'Serverless and cluster mode spread keys and channels over shards, where scripts over several keys and Pub/Sub for all fail (CROSSSLOT): for growth take a bigger `cacheNodeType`, sizing in app/server/rooms/README.md';

const subnets = (purpose: string) =>
  names(
    1,
    6,
    /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/,
    `ids of subnets such as subnet-0123abcd`,
    `name those ${purpose}`,
  );

const zone = /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/;
const regionName = /^[a-z]{2}(-[a-z]+)+-\d$/;
const host = /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/;
const day = '(mon|tue|wed|thu|fri|sat|sun)';
const time = '([01]\\d|2[0-3]):[0-5]\\d';

/**
 * Every knob of the stack. Each may stand in cdk.json's `context` or on the command line as `-c knob=value`; the
 * presets of `environment` give what is not set. The descriptions are the manual, and the editors' completion.
 */
export const knobs = z.object({
  environment: oneOf(environments, 'take dev to try, prod for users').describe(
    'The preset that every other knob starts from.',
  ),
  stackName: text(
    /^[A-Za-z][A-Za-z0-9-]{0,31}$/,
    'be 1 to 32 letters, digits and hyphens that start with a letter',
    'choose such a name',
  ).describe('Name of the CloudFormation stack, and the prefix of its keys and channels in the cache.'),
  region: text(regionName, 'be the name of a region such as us-east-1', 'write it as AWS does').describe(
    'AWS region. The load balancer’s log delivery needs one by name; the account is that of the credentials that deploy.',
  ),

  availabilityZones: names(
    2,
    6,
    zone,
    'zone names such as us-east-1a',
    'separate them with commas, or remove it to take the first `availabilityZoneCount` of the region',
  )
    .optional()
    .describe(
      'Names of the zones. Name them where one lacks the cache’s node type, Fargate or VPC origins: the letters mean another zone in each account. Moving a deployed stack replaces its subnets.',
    ),
  availabilityZoneCount: whole(2, 4, 'take 3, or 2 to pay less').describe(
    'How many zones to take where none is named. A region with fewer fails when it is deployed.',
  ),
  natGateways: whole(0, 4, 'take 0 for tasks in public subnets, else one for each zone or fewer').describe(
    'NAT gateways, about $33 a month each and $0.045 a GB. With 0, tasks stand in public subnets with addresses of their own, closed by security groups.',
  ),
  vpcId: text(
    /^vpc-([0-9a-f]{8}|[0-9a-f]{17})$/,
    'be the id of a VPC such as vpc-0123abcd',
    'or remove it for a new VPC',
  )
    .optional()
    .describe(
      'An existing VPC; its zones and subnets are named beside it, nothing is looked up. CloudFront needs an internet gateway at it, though no route to it.',
    ),
  publicSubnetIds: subnets('with a route to an internet gateway')
    .optional()
    .describe('Public subnets of `vpcId`, in the order of `availabilityZones`.'),
  privateSubnetIds: subnets('from which tasks reach AWS')
    .optional()
    .describe('Subnets of `vpcId` for tasks, with a NAT gateway or endpoints, in the order of the zones.'),
  isolatedSubnetIds: subnets('for the cache and an internal load balancer')
    .optional()
    .describe('Subnets of `vpcId` for the cache and the internal load balancer; else `privateSubnetIds`.'),

  backplane: z
    .enum(['elasticache', 'existing', 'none'], {
      error: (issue) =>
        /serverless|cluster/i.test(String(issue.input))
          ? `must be one of elasticache, existing, none, got: ${JSON.stringify(issue.input)}; ${onlyOneShard}`
          : must(
              'be one of elasticache, existing, none',
              'take elasticache for several instances, none for one',
            )(issue),
    })
    .describe(
      'What makes several instances behave as one. `existing`: the Redis of `redisAddress`. `none`: one task without a cache, the quickest way back.',
    ),
  cacheNodeType: text(
    cacheNodeTypes,
    'be a node type of ElastiCache',
    'take cache.t4g.micro to try, cache.m7g.large in production',
  ).describe('Node type of the cache.'),
  cacheReplicas: whole(0, 5, 'take 1, or 0 where minutes without a cache are no harm').describe(
    'Replicas beside the primary node, in other zones. With 0 the cache is a single point of failure.',
  ),
  cacheShards: z
    .preprocess((given) => (given === '1' ? 1 : given), z.literal(1, { error: must('be 1', onlyOneShard) }))
    .describe('Always 1: cluster mode is not for this.'),
  cacheEngineVersion: version(['7.2', '8.0', '8.1', '8.2'], 'take 8.2').describe(
    'Version of Valkey. A deployed cache can go up, never down.',
  ),
  cacheSnapshotDays: whole(0, 35, 'take 1, or 0 for none').describe(
    'Days that the daily snapshots of the cache are kept. What it holds lives for minutes.',
  ),
  cacheMaintenanceWindow: text(
    new RegExp(`^${day}:${time}-${day}:${time}$`),
    'be a window in UTC such as sun:04:00-sun:05:00',
    'take an hour with few users, and not 02:00–03:00, when the snapshot is taken',
  ).describe('Weekly window in UTC in which AWS patches the cache.'),
  passwordRound: whole(1, 100_000, 'count up by one for each rotation').describe(
    'Counts the rotations of the cache’s passwords. The passwords of this round and of the one before are valid; services take this one’s.',
  ),
  redisAddress: text(
    host,
    'be host or host:port',
    'write the primary’s name without redis://, user and password',
  )
    .optional()
    .describe('Address of an existing Redis or Valkey, for `backplane` existing.'),
  redisSecurityGroupId: text(
    /^sg-([0-9a-f]{8}|[0-9a-f]{17})$/,
    'be the id of a security group such as sg-0123abcd',
    'name the group of that Redis',
  )
    .optional()
    .describe('Security group of the existing Redis, to which an ingress rule is added.'),
  redisSecretArn: secretArn()
    .optional()
    .describe('Secret with JSON `username` and `password`, or a password, of the existing Redis.'),
  redisTls: flag('take false only inside a network that you trust').describe(
    'The existing Redis speaks TLS.',
  ),

  minTasks: whole(1, 100, 'take at least 2 to survive the loss of one').describe(
    'Tasks of the service at least.',
  ),
  maxTasks: whole(1, 200, 'take more than `minTasks` to scale, the same to stay')
    .optional()
    .describe(
      'Tasks of the service at most. Above `minTasks`, the service scales on connections and CPU. Else the same in dev, four times as many in prod.',
    ),
  connectionsPerTask: whole(10, 100_000, 'take 5000 for each vCPU')
    .optional()
    .describe('Connections that a task is to hold on average when it scales; else 5,000 for each vCPU.'),
  cpu: whole(256, 16384, `take one of ${fargateCpus}`).describe('CPU of a task in units of 1/1024 vCPU.'),
  memoryMiB: whole(512, 122880, 'take a size that Fargate sells with this `cpu`').describe(
    'Memory of a task in MiB.',
  ),
  cpuArchitecture: oneOf(['arm64', 'x86_64'], 'take arm64 unless a dependency has no build for it').describe(
    'Processor of the tasks, and of the image that is built for them.',
  ),
  imageUri: text(
    imageReference,
    'be an image reference such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2.3',
    'write registry/name:tag, without https://',
  )
    .optional()
    .describe('Image to run instead of the one built from app/Dockerfile, for pipelines that build it once.'),
  ecsExec: flag('take true to look around in a task').describe(
    'A shell in tasks by ECS Exec. Its agent writes, so the file system is not read-only then.',
  ),
  drainSeconds: whole(0, 600, 'take 60').describe(
    'Seconds over which the clients of a task that leaves are sent elsewhere.',
  ),
  guests: flag('take false where users have tokens of their own').describe(
    '`/api/session` gives a guest’s token to whoever asks.',
  ),
  authJwksUrl: text(/^https:\/\/\S+$/, 'be an https URL', 'copy it from your identity provider')
    .optional()
    .describe('Where your identity provider publishes the keys of its tokens.'),
  authIssuer: text(/^\S+$/, 'be one word', 'copy `iss` of a token')
    .optional()
    .describe('`iss` that tokens of `authJwksUrl` must have.'),
  authAudience: text(/^\S+$/, 'be one word', 'copy `aud` of a token')
    .optional()
    .describe('`aud` that tokens of `authJwksUrl` must have.'),
  corsOrigins: names(
    1,
    20,
    /^https?:\/\/[^/\s]+$/,
    'origins such as https://app.example.com',
    'write scheme and host, no path',
  )
    .optional()
    .describe('Origins of pages on other hosts that may connect.'),

  modelProvider: oneOf(['offline', 'bedrock'], 'take offline to try').describe(
    'Who answers in the llm hub. `offline` needs no key.',
  ),
  modelId: text(
    /^[a-z0-9-]+(\.[a-z0-9-]+){1,3}(:\d+)?$/i,
    'be the id of a Bedrock model or inference profile',
    'copy it from the Bedrock console',
  )
    .optional()
    .describe(
      'Bedrock model, such as amazon.nova-lite-v1:0, or inference profile, such as eu.amazon.nova-lite-v1:0.',
    ),
  modelRegions: names(
    1,
    12,
    regionName,
    'regions',
    '`aws bedrock get-inference-profile` lists those of a profile',
  )
    .optional()
    .describe(
      'Regions that the inference profile of `modelId` may use: permissions name each model exactly.',
    ),

  domainName: text(
    domain,
    'be a domain name such as realtime.example.com',
    'write it in lower case, without https://',
  )
    .optional()
    .describe('Name that clients use, served by a public load balancer. Without it CloudFront gives a name.'),
  hostedZoneId: text(/^Z[A-Z0-9]{8,}$/, 'be the id of a hosted zone of Route 53', 'copy it from Route 53')
    .optional()
    .describe('Zone in which the certificate is validated and the name of `domainName` is set.'),
  hostedZoneName: text(domain, 'be the name of the zone such as example.com', 'write it in lower case')
    .optional()
    .describe('Name of `hostedZoneId`.'),
  certificateArn: text(
    /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[\w-]+$/,
    'be the ARN of a certificate of ACM',
    'copy it from ACM, or remove it and give `hostedZoneId`',
  )
    .optional()
    .describe('A certificate that exists, in place of a validated one; the DNS record is yours then.'),
  idleTimeoutSeconds: whole(1, 4000, 'take 120').describe(
    'Seconds after which the load balancer closes a silent connection, above Socket.IO’s heartbeat.',
  ),
  waf: flag('take true in production').describe(
    'A web ACL: AWS’s common, known-bad-input and reputation rules and a rate for each address; about $9 a month.',
  ),
  wafWebAclArn: text(
    /^arn:aws[a-z-]*:wafv2:us-east-1:\d{12}:global\/webacl\/[\w-]+\/[0-9a-f-]{36}$/,
    'be the ARN of a web ACL of scope CLOUDFRONT, which are in us-east-1',
    'copy it from WAF, or remove it',
  )
    .optional()
    .describe('A web ACL for CloudFront that exists: this stack can make one in us-east-1 only.'),
  wafRequestsPerAddress: whole(100, 20_000_000, 'take 20000').describe(
    'Requests that one address may send in five minutes. An office or a carrier is one address to WAF, and all of it reconnects at once.',
  ),

  ...callKnobs,

  containerInsights: flag('take true in production').describe(
    'Container Insights of the cluster, about $0.07 a metric and month.',
  ),
  alarmEmail: text(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, 'be an e-mail address', 'write one that is read')
    .optional()
    .describe('Where alarms go, after it has confirmed the subscription.'),
  logRetentionDays: z
    .preprocess(
      (given) => (typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given),
      z.union(
        (
          [
            1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
            3653,
          ] as const
        ).map((n) => z.literal(n)),
        {
          error: must('be a number of days that CloudWatch Logs knows', 'take 7, 30, 90 or 365'),
        },
      ),
    )
    .describe('Days that logs are kept.'),
  removalPolicy: oneOf(['destroy', 'retain'], 'take destroy to try, retain in production').describe(
    'What becomes of logs and secrets when the stack goes.',
  ),
  deletionProtection: flag('take true in production').describe(
    'Refuses to delete the stack and its load balancer until it is turned off.',
  ),
});

export type Knobs = z.output<typeof knobs>;
export type Knob = keyof Knobs;
