import { z } from 'zod';
import { defaultRetention } from '../../app/server/rooms/log/retention.ts';
import { callKnobs } from './call-knobs.ts';
import {
  domain,
  flag,
  imageReference,
  must,
  names,
  oneOf,
  origins,
  secretArn,
  tags,
  text,
  version,
  whole,
} from './readers.ts';
import { cacheNodeType, fargateCpus, mostCacheNodes } from './sizes.ts';

export const environments = ['dev', 'prod'] as const;
export type EnvironmentName = (typeof environments)[number];

const subnets = (purpose: string) =>
  names(
    1,
    6,
    /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/,
    `ids of subnets such as subnet-0123abcd`,
    `name those ${purpose}`,
  );

const claimName = () => text(/^\S{1,256}$/, 'name a claim, without spaces', 'copy its name from a token');

const bridgedNamespaces = () =>
  text(
    /^\/[^=,\s]*=(emit|publish)(,\/[^=,\s]*=(emit|publish))*$/,
    'list namespaces, each with emit or publish',
    'write it as /=emit,/bots=publish',
  );
const channelName = /^[A-Za-z0-9_.:-]{1,64}$/;

const zone = /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/;
const regionName = /^[a-z]{2}(-[a-z]+)+-\d$/;
const host = /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/;
const day = '(mon|tue|wed|thu|fri|sat|sun)';
const time = '([01]\\d|2[0-3]):[0-5]\\d';

/** The days for which CloudWatch Logs can keep a log group. */
const logRetentions = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

/**
 * Every knob of the stack. Each may be set in cdk.json's `context` or on the command line as `-c knob=value`. The
 * preset of `environment` applies to every knob that is not set. The descriptions are the manual, and editors show
 * them as completions.
 */
export const knobs = z.object({
  environment: oneOf(environments, 'take dev to try, prod for users').describe(
    'The preset that gives every knob that is not set.',
  ),
  stackName: text(
    /^[A-Za-z][A-Za-z0-9-]{0,31}$/,
    'be 1 to 32 letters, digits and hyphens that start with a letter',
    'choose such a name',
  ).describe(
    'Name of the CloudFormation stack, and prefix of the keys and channels that the service uses in the cache.',
  ),
  region: text(regionName, 'be the name of a region such as us-east-1', 'write it as AWS does').describe(
    'AWS region. The load balancer’s access log needs it by name. The account is that of the credentials that deploy.',
  ),

  tags: tags()
    .optional()
    .describe(
      'More tags of every resource that takes tags and can change them, as an object. They are no secrets: bills and logs show them.',
    ),
  permissionsBoundary: text(
    /^(arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/)?[\w+=,.@/-]{1,128}$/,
    'be the name or the ARN of a managed policy of IAM',
    'copy it from IAM, or remove it',
  )
    .optional()
    .describe(
      'Managed policy that bounds every role of the stack, where the account demands one. The bootstrap’s own roles take theirs from `cdk bootstrap --custom-permissions-boundary NAME`.',
    ),
  bootstrapQualifier: text(
    /^[a-z0-9]{1,10}$/,
    'be 1 to 10 lower-case letters and digits',
    'take the one that `cdk bootstrap --qualifier` was given',
  )
    .optional()
    .describe(
      'Qualifier of the bootstrap whose roles, bucket and repository deploy the stack. Without it, the CDK’s own, hnb659fds.',
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
      'Names of the availability zones. Name them if a zone lacks the cache’s node type, Fargate or CloudFront VPC origins; a letter means a different zone in each account. In a deployed stack zones can only be added, at the end: RUNBOOK.md, “Other zones”.',
    ),
  availabilityZoneCount: whole(2, 4, 'take 3, or 2 to pay less').describe(
    'Number of availability zones, if none is named. In a region that has fewer, the deployment fails.',
  ),
  natGateways: whole(0, 4, 'take 0 for tasks in public subnets, else one for each zone or fewer').describe(
    'NAT gateways, about $33 a month each and $0.045 a GB. With 0, tasks are placed in public subnets with public addresses, and security groups keep everyone out.',
  ),
  privateLink: flag('take true where traffic to AWS must not leave the VPC').describe(
    'Interface endpoints (PrivateLink) for the AWS services that tasks call: container images, ECS, logs, secrets, parameters, and Bedrock with `modelProvider` bedrock. $7.30 a month for each in each zone: $88 in two zones, $131 in three. A GB costs $0.01 there, and $0.045 at a NAT gateway, which tasks still need for what is not AWS, such as an identity provider.',
  ),
  vpcId: text(
    /^vpc-([0-9a-f]{8}|[0-9a-f]{17})$/,
    'be the id of a VPC such as vpc-0123abcd',
    'or remove it for a new VPC',
  )
    .optional()
    .describe(
      'An existing VPC. Its zones and subnets must be set too, because nothing is looked up. CloudFront needs an internet gateway attached to it, but no route to that gateway.',
    ),
  publicSubnetIds: subnets('with a route to an internet gateway')
    .optional()
    .describe('Public subnets of `vpcId`, in the order of `availabilityZones`.'),
  privateSubnetIds: subnets('from which tasks reach AWS')
    .optional()
    .describe(
      'Subnets of `vpcId` for tasks, with a NAT gateway or VPC endpoints, in the order of the zones.',
    ),
  isolatedSubnetIds: subnets('for the cache and an internal load balancer')
    .optional()
    .describe(
      'Subnets of `vpcId` for the cache and the internal load balancer. Without it, `privateSubnetIds`.',
    ),

  backplane: z
    .enum(['elasticache', 'bypassed', 'existing', 'none'], {
      error: (issue) =>
        /serverless|cluster/i.test(String(issue.input))
          ? `must be one of elasticache, bypassed, existing, none, got: ${JSON.stringify(issue.input)}; a cluster is elasticache with \`cacheShards\` 3 or more; Serverless evicts keys (volatile-lru, which can't be changed), and an evicted log would be a gap that nobody notices`
          : must(
              'be one of elasticache, bypassed, existing, none',
              'take elasticache for several instances, none for one',
            )(issue),
    })
    .describe(
      'The Redis that connects the instances. `elasticache`: the stack creates it. `existing`: the Redis of `redisAddress`. `bypassed`: the stack’s cache stays, with LiveKit on it, and the service runs as one task without it, the quickest way back to service. `none`: one task, and no cache; a cache that the stack had is deleted with all bans and revocations.',
    ),
  cacheNodeType: cacheNodeType('take cache.t4g.micro to try, cache.m7g.large in production').describe(
    'Node type of the cache, of each of its shards.',
  ),
  cacheReplicas: whole(0, 5, 'take 1, or 0 where minutes without a cache are no harm').describe(
    'Replicas of each primary node, in other zones. With 0, the cache is a single point of failure. Between 0 and more, a deployed stack takes two steps: RUNBOOK.md, “Add replicas, or remove them all”. With several shards, another number is another cache: RUNBOOK.md, “Several shards instead of one node, or back”.',
  ),
  cacheFailover: flag('remove it, but for the steps that RUNBOOK.md names')
    .optional()
    .describe(
      'A replica takes over by itself when the primary fails. Without it, whenever there are replicas. False is for the time in which the first replica is added or the last one removed.',
    ),
  cacheShards: whole(1, mostCacheNodes, 'take 1, or 3 where one node does not carry the load').describe(
    'Shards of the cache. 1: one primary, with its replicas. 3 or more: cluster mode, where each shard has `cacheReplicas` replicas, at least one, and rooms are spread evenly; a room is in one shard. LiveKit then gets a small cache of its own. In a deployed stack, from 1 to 3 or more takes the steps of RUNBOOK.md, “Several shards instead of one node, or back”; from 3 on, shards are added and removed while the cache serves. In prod, 3 shards cost $372 a month more than one node, $411 with LiveKit.',
  ),
  cacheEngineVersion: version(['7.2', '8.0', '8.1', '8.2', '9.0', '9.1'], 'take 8.2').describe(
    'Version of Valkey. A deployed cache can be upgraded, but never downgraded. With several shards take 9.0 or newer: where shards are added or removed, it moves a slot as a whole, and older versions key by key.',
  ),
  cacheSnapshotDays: whole(0, 35, 'take 1, or 0 for none').describe(
    'Days for which the cache’s daily snapshots are kept. The data in it lives for minutes.',
  ),
  cacheMaintenanceWindow: text(
    new RegExp(`^${day}:${time}-${day}:${time}$`),
    'be a window in UTC such as sun:04:00-sun:05:00',
    'take an hour with few users, and not 02:00–03:00, when the snapshot is taken',
  ).describe('Weekly window in UTC in which AWS patches the cache.'),
  passwordVersion: whole(1, 100_000, 'count up by one for each rotation').describe(
    'Version of the cache’s passwords; add 1 to rotate them, and never skip one. The current and the previous version are valid, and services use the current one; tasks of an older one would be locked out.',
  ),
  redisAddress: text(
    host,
    'be host or host:port',
    'write the primary’s name without redis://, user and password',
  )
    .optional()
    .describe(
      'Address of the primary node of an existing Redis or Valkey, or the configuration endpoint of one in cluster mode, for `backplane` existing.',
    ),
  redisSecurityGroupId: text(
    /^sg-([0-9a-f]{8}|[0-9a-f]{17})$/,
    'be the id of a security group such as sg-0123abcd',
    'name the group of that Redis',
  )
    .optional()
    .describe('Security group of the existing Redis. It gets an ingress rule for each service.'),
  redisSecretArn: secretArn()
    .optional()
    .describe(
      'Secret with the login of the existing Redis, in the form of `redisSecretForm`. ECS and CloudFormation read it too, so it must have that form exactly.',
    ),
  redisSecretForm: oneOf(['login', 'password'], 'take login for JSON, password for text').describe(
    'What `redisSecretArn` contains. `login`: JSON with `username` and `password`, both. `password`: nothing but the password of the user `default`, as text.',
  ),
  redisTls: flag('take false only inside a network that you trust').describe('The existing Redis uses TLS.'),

  minTasks: whole(0, 100, 'take at least 2 to survive the loss of one').describe(
    'Tasks of the service at least. 0 stops the service, and everything else stays: see "Stop everything for a while" in RUNBOOK.md.',
  ),
  maxTasks: whole(1, 200, 'take more than `minTasks` to scale, the same to stay')
    .optional()
    .describe(
      'Tasks of the service at most. Above `minTasks`, the service scales on connections and CPU. Without it, `minTasks` in dev and four times as many in prod.',
    ),
  connectionsPerTask: whole(10, 100_000, 'take 5000 for each vCPU')
    .optional()
    .describe(
      'Average number of connections of a task at which the service scales. Without it, 5,000 for each vCPU.',
    ),
  recreateTasks: flag('take true for one deployment, and remove it afterwards')
    .optional()
    .describe(
      'A deployment stops all tasks of the service before it starts new ones, and no alarm rolls it back: for changes across which old and new tasks would not meet, such as another cache. Clients come back after a minute or two, and are told what they missed. Without it, new tasks start before old ones stop.',
    ),
  cpu: whole(256, 16384, `take one of ${fargateCpus}`).describe('CPU of a task in units of 1/1024 vCPU.'),
  memoryMiB: whole(512, 122880, 'take a size that Fargate sells with this `cpu`').describe(
    'Memory of a task in MiB.',
  ),
  cpuArchitecture: oneOf(['arm64', 'x86_64'], 'take arm64 unless a dependency has no build for it').describe(
    'Processor architecture of the tasks, and of the images that are built for them.',
  ),
  imageUri: text(
    imageReference,
    'be an image reference such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2.3',
    'write registry/name:tag, without https://',
  )
    .optional()
    .describe(
      'Image of the service, for pipelines that build it once. Without it, the image is built from app/Dockerfile.',
    ),
  ecsExec: flag('take true to look around in a task').describe(
    'Allows a shell in tasks through ECS Exec. Its agent writes files, so the file system is not read-only then.',
  ),
  drainSeconds: whole(0, 600, 'take 60').describe(
    'Seconds over which a task that leaves sends its clients to other tasks.',
  ),
  guests: flag('take false where users have tokens of their own').describe(
    '`/api/session` gives a guest’s token to anyone who asks.',
  ),
  authJwksUrl: text(/^https:\/\/\S+$/, 'be an https URL', 'copy it from your identity provider')
    .optional()
    .describe('URL at which your identity provider publishes the keys of its tokens (JWKS).'),
  authIssuer: text(/^\S+$/, 'be one word', 'copy `iss` of a token')
    .optional()
    .describe('Value that `iss` must have in tokens of `authJwksUrl`.'),
  authAudience: text(/^\S+$/, 'be one word', 'copy `aud` of a token')
    .optional()
    .describe('Value that `aud` must have in tokens of `authJwksUrl`.'),
  authSubjectClaim: claimName()
    .optional()
    .describe(
      'Claim of tokens of `authJwksUrl` that says who the user is; `a.b` is `b` inside `a`. Without it, `sub`.',
    ),
  authNameClaim: claimName()
    .optional()
    .describe('Claim of tokens of `authJwksUrl` that says what to call the user. Without it, `name`.'),
  corsOrigins: origins(20)
    .optional()
    .describe(
      'Origins of other pages that may connect: https://app.example.com, https://*.example.com for one label in place of the star, capacitor://localhost, null; * for all.',
    ),

  mainHub: flag('take true where clients connect to Socket.IO’s namespace /')
    .optional()
    .describe(
      'The hub `main` is served at Socket.IO’s namespace `/`, for clients that know of no hubs (app/server/hubs/main.ts). Without it, nobody is let in there.',
    ),
  pythonSocketio: bridgedNamespaces()
    .optional()
    .describe(
      'Namespaces that are joined to servers and publishers of python-socketio on the same Redis, each with how: /=emit,/bots=publish (app/server/bridges/README.md). They get a Redis user of their own.',
    ),
  pythonSocketioChannel: text(
    channelName,
    'be 1 to 64 letters, digits and . _ : -',
    'take the `channel` of its AsyncRedisManager',
  )
    .optional()
    .describe('Redis channel of python-socketio. Without it, socketio.'),
  pythonSocketioVersion: text(/^\d{1,4}\.\d{1,4}(\.\d{1,4})?$/, 'be a version such as 5.10.0', 'ask pip')
    .optional()
    .describe('The oldest python-socketio that is joined. Without it, 5.15.1 or newer is expected.'),
  emitter: bridgedNamespaces()
    .optional()
    .describe(
      'Namespaces that hear `@socket.io/redis-emitter` and its like on the same Redis, each with how: /=emit,/bots=publish (app/server/bridges/README.md).',
    ),
  emitterPrefix: text(channelName, 'be 1 to 64 letters, digits and . _ : -', 'take the `key` of the emitters')
    .optional()
    .describe('`key` of the emitters, with which their channels begin. Without it, socket.io.'),

  roomLogMessages: whole(10, 100_000, `take ${defaultRetention.maxLength}`)
    .optional()
    .describe(
      `Messages that the log of a room keeps. A client that missed more is told that messages were lost. Without it, ${defaultRetention.maxLength}.`,
    ),
  roomLogBytes: whole(10_000, 100_000_000, `take ${defaultRetention.maxBytes}`)
    .optional()
    .describe(
      `Bytes of message text that the log of a room keeps, the most that a room can use of the cache. Without it, ${defaultRetention.maxBytes}.`,
    ),
  roomLogSeconds: whole(10, 86_400, `take ${defaultRetention.maxAgeMs / 1_000}`)
    .optional()
    .describe(
      `Seconds for which the log of a room keeps a message, the longest absence that a client recovers from. Without it, ${defaultRetention.maxAgeMs / 1_000}.`,
    ),
  roomMetaSeconds: whole(3_600, 31_536_000, `take ${defaultRetention.metaAgeMs / 1_000}`)
    .optional()
    .describe(
      `Seconds for which a room’s epochs are kept after its last use, so that a room that expired is not taken for the old one. It must be above \`roomLogSeconds\`. Without it, ${defaultRetention.metaAgeMs / 1_000}.`,
    ),

  modelProvider: oneOf(['offline', 'bedrock'], 'take offline to try').describe(
    'Which model replies in the llm hub. `offline` needs no key.',
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
      'Regions that the inference profile of `modelId` may use. The permissions name the model in each of them.',
    ),

  domainName: text(
    domain,
    'be a domain name such as realtime.example.com',
    'write it in lower case, without https://',
  )
    .optional()
    .describe(
      'Domain name that clients use, served by a public load balancer, or by CloudFront with `cloudFront`. Without it, CloudFront gives a name.',
    ),
  cloudFront: flag('remove it, or take true for CloudFront in front of `domainName`')
    .optional()
    .describe(
      'CloudFront in front of the load balancer, which nobody else reaches then. Without it, only if there is no `domainName`. CloudFront takes certificates of us-east-1 only: in another region `certificateArn` must name one there.',
    ),
  hostedZoneId: text(/^Z[A-Z0-9]{8,}$/, 'be the id of a hosted zone of Route 53', 'copy it from Route 53')
    .optional()
    .describe(
      'Hosted zone in which the certificate of `domainName` is validated and its DNS record is created.',
    ),
  hostedZoneName: text(domain, 'be the name of the zone such as example.com', 'write it in lower case')
    .optional()
    .describe('Name of `hostedZoneId`.'),
  certificateArn: text(
    /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[\w-]+$/,
    'be the ARN of a certificate of ACM',
    'copy it from ACM, or remove it and give `hostedZoneId`',
  )
    .optional()
    .describe(
      'A certificate that exists, in the stack’s region, or in us-east-1 for CloudFront. Without `hostedZoneId` you create the DNS record yourself; outputs name its target.',
    ),
  idleTimeoutSeconds: whole(1, 4000, 'take 120').describe(
    'Seconds after which the load balancer closes a connection without traffic. It must be above Socket.IO’s heartbeat.',
  ),
  waf: flag('take true in production').describe(
    'A web ACL with AWS’s common, known-bad-input and reputation rules and a rate limit for each address; about $9 a month.',
  ),
  wafWebAclArn: text(
    /^arn:aws[a-z-]*:wafv2:us-east-1:\d{12}:global\/webacl\/[\w-]+\/[0-9a-f-]{36}$/,
    'be the ARN of a web ACL of scope CLOUDFRONT, which are in us-east-1',
    'copy it from WAF, or remove it',
  )
    .optional()
    .describe('A web ACL for CloudFront that exists. The stack can create one in us-east-1 only.'),
  wafRequestsPerAddress: whole(100, 20_000_000, 'take 20000').describe(
    'Requests that one address may send in five minutes. WAF sees an office or a carrier as one address, and all clients behind it may reconnect at once.',
  ),

  ...callKnobs,

  kmsKeyArn: text(
    /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
    'be the ARN of a KMS key, not of an alias',
    'copy it from KMS, or remove it',
  )
    .optional()
    .describe(
      'Your KMS key for what the stack stores: its secrets, cache, logs, access logs and alarm topic. Its policy must admit the services that write there: RUNBOOK.md, “Encrypt with a key of your own”. Without it, AWS’s own keys, and a topic that is not encrypted. Changing it replaces the cache.',
    ),
  secretsKmsKeyArn: text(
    /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
    'be the ARN of a KMS key, not of an alias',
    'copy it from KMS, or remove it',
  )
    .optional()
    .describe(
      'Your KMS key that encrypts the secrets that you name by ARN. The tasks that read those secrets may then decrypt with it, through Secrets Manager. Without it, they must be under AWS’s own key.',
    ),

  containerInsights: flag('take true in production').describe(
    'Container Insights of the cluster, about $0.07 a metric and month: $15 a month in prod, $32 with two LiveKit nodes and the agent.',
  ),
  dashboard: flag('take true where somebody is on call').describe(
    'A CloudWatch dashboard to be read from top to bottom: clients, deliveries, losses, Redis, calls, the edge, what costs money. About $3 a month; an account’s first three dashboards are free, if they show 50 metrics at most.',
  ),
  alarmEmail: text(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, 'be an e-mail address', 'write one that is read')
    .optional()
    .describe('Address that gets the alarms, once it has confirmed the subscription.'),
  logRetentionDays: z
    .preprocess(
      (given) => (typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given),
      z.union(
        logRetentions.map((days) => z.literal(days)),
        { error: must('be a number of days that CloudWatch Logs knows', 'take 7, 30, 90 or 365') },
      ),
    )
    .describe('Days for which logs are kept.'),
  removalPolicy: oneOf(['destroy', 'retain'], 'take destroy to try, retain in production').describe(
    'What happens to logs and secrets when the stack is deleted; with `retain`, the cache leaves a last snapshot too. In either case, a deployment that fails leaves nothing of what it had just created.',
  ),
  deletionProtection: flag('take true in production').describe(
    'Protects the stack, its load balancers and LiveKit’s hosts from deletion until it is turned off. Deploy prod with false first: what is protected from its creation keeps a deployment that fails from rolling back.',
  ),
});

export type Knobs = z.output<typeof knobs>;
export type Knob = keyof Knobs;
