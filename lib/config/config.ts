import { z } from 'zod';
import { pingIntervalMs } from '../../app/names.ts';

/** Socket.IO's default `pingTimeout` in seconds: how long a side waits for the other's heartbeat. */
const pingTimeoutSeconds = 20;
const heartbeatSeconds = pingIntervalMs / 1000 + pingTimeoutSeconds;

/** Memory in MiB that Fargate sells with each CPU size, as [least, most, step]. */
const fargateMemory: Record<number, readonly [number, number, number]> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
  16384: [32768, 122880, 8192],
};

const engineVersions = ['7.2', '8.0', '8.1', '8.2'] as const;
const cacheNodeTypes =
  /^cache\.((t3|t4g)\.(micro|small|medium)|(m5|r5)\.(large|(2|4|12|24)?xlarge)|(m6g|m7g|r6g|r7g|c7gn)\.(large|(2|4|8|12|16)?xlarge))$/;

type ErrorOf = (issue: { readonly input?: unknown }) => string;
const must =
  (rule: string, fix: string): ErrorOf =>
  (issue) =>
    `must ${rule}, got: ${JSON.stringify(issue.input)}; ${fix}`;

/** `-c key=value` hands over text; a number written there is a number. */
const fromText = (given: unknown) =>
  typeof given === 'string' && given.trim() !== '' && !Number.isNaN(Number(given)) ? Number(given) : given;

function whole(least: number, most: number, fix: string) {
  const error = must(`be a whole number from ${least} to ${most}`, fix);
  return z.preprocess(fromText, z.int({ error }).min(least, { error }).max(most, { error }));
}

function oneOf<const T extends readonly [string, ...string[]]>(values: T, fix: string) {
  return z.enum(values, { error: must(`be one of ${values.join(', ')}`, fix) });
}

/** `-c cacheEngineVersion=8.2` is text, `"cacheEngineVersion": 8.2` in cdk.json a number. */
function version<const T extends readonly [string, ...string[]]>(values: T, fix: string) {
  const asText = (given: unknown) => (typeof given === 'number' ? given.toFixed(1) : given);
  return z.preprocess(asText, oneOf(values, fix));
}

function text(pattern: RegExp, rule: string, fix: string) {
  const error = must(rule, fix);
  return z.string({ error }).regex(pattern, { error });
}

function flag(fix: string) {
  const read = (given: unknown) => (given === 'true' ? true : given === 'false' ? false : given);
  return z.preprocess(read, z.boolean({ error: must('be true or false', fix) }));
}

function zoneNames() {
  const error = must(
    'be 2 to 6 different zone names such as us-east-1a',
    'separate them with commas, or remove it to take the first `availabilityZoneCount` of the region',
  );
  const read = (given: unknown) =>
    typeof given === 'string' ? given.split(',').map((n) => n.trim()) : given;
  const names = z.array(z.string({ error }).regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, { error }), { error });
  return z.preprocess(
    read,
    names
      .min(2, { error })
      .max(6, { error })
      .refine((all) => new Set(all).size === all.length, { error }),
  );
}

/**
 * Every knob of the stack. Each may stand in cdk.json's `context` or on the command line as `-c knob=value`.
 */
const knobs = z.object({
  /**
   * Name of the CloudFormation stack, and the prefix of the deployment's keys in the cache.
   * @default 'RealtimeStack'
   */
  stackName: text(
    /^[A-Za-z][A-Za-z0-9-]{0,31}$/,
    'be 1 to 32 letters, digits and hyphens that start with a letter',
    'choose such a name',
  ).default('RealtimeStack'),

  /**
   * AWS region. A deployment needs one by name: the load balancer's log delivery differs from region to region.
   * The account is the one of the credentials that deploy.
   * @default 'us-east-1'
   */
  region: text(
    /^[a-z]{2}(-[a-z]+)+-\d$/,
    'be the name of a region such as us-east-1',
    'write it as AWS does',
  ).default('us-east-1'),

  /**
   * Names of the availability zones. Name them where a zone lacks the cache's node type or Fargate: the letters
   * mean another zone in each account. Moving a deployed stack to other zones replaces its subnets.
   * @default - the first `availabilityZoneCount` zones that the region lists
   */
  availabilityZones: zoneNames().optional(),

  /**
   * How many zones to take where none is named. A region with fewer fails when it is deployed.
   * @default 3
   */
  availabilityZoneCount: whole(2, 6, 'take 3, or 2 to pay less').default(3),

  /**
   * NAT gateways, through which the private subnets reach AWS. Each is about $33 a month and traffic; with fewer
   * than zones, the loss of a gateway's zone cuts the others off from AWS, not from their clients.
   * @default 1
   */
  natGateways: whole(1, 6, 'take 1, or one for each zone').default(1),

  /**
   * What makes several instances behave as one. `none` deploys one task without a cache: the quickest way back.
   * @default 'elasticache'
   */
  backplane: oneOf(['elasticache', 'none'], 'take elasticache for several instances, none for one').default(
    'elasticache',
  ),

  /**
   * Node type of the cache.
   * @default 'cache.t4g.micro'
   */
  cacheNodeType: text(
    cacheNodeTypes,
    'be a node type of ElastiCache',
    'take cache.t4g.micro to try, cache.m7g.large in production',
  ).default('cache.t4g.micro'),

  /**
   * Replicas beside the primary node, in other zones. With 0 the cache is a single point of failure.
   * @default 1
   */
  cacheReplicas: whole(0, 5, 'take 1, or 0 where minutes without a cache are no harm').default(1),

  /**
   * Version of Valkey. A deployed cache can go up, never down.
   * @default '8.2'
   */
  cacheEngineVersion: version(engineVersions, 'take 8.2').default('8.2'),

  /**
   * Tasks of the service.
   * @default - 2, or 1 without a backplane
   */
  desiredCount: whole(1, 100, 'take at least 2 to survive the loss of one').optional(),

  /**
   * CPU of a task in units of 1/1024 vCPU.
   * @default 256
   */
  cpu: whole(256, 16384, `take one of ${Object.keys(fargateMemory).join(', ')}`).default(256),

  /**
   * Memory of a task in MiB.
   * @default 512
   */
  memoryMiB: whole(512, 122880, 'take a size that Fargate sells with this `cpu`').default(512),

  /**
   * Processor of the tasks, and of the image that is built for them.
   * @default 'arm64'
   */
  cpuArchitecture: oneOf(['arm64', 'x86_64'], 'take arm64 unless a dependency has no build for it').default(
    'arm64',
  ),

  /**
   * Image to run instead of the one that is built from app/, for pipelines that build it once.
   * @default - built from app/Dockerfile
   */
  imageUri: text(
    /^[a-z0-9][\w.-]*(:\d+)?(\/[\w.-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/,
    'be an image reference such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2.3',
    'write registry/name:tag, without https://',
  ).optional(),

  /**
   * Seconds after which the load balancer closes a silent connection, above Socket.IO's heartbeat.
   * @default 120
   */
  idleTimeoutSeconds: whole(1, 4000, 'take 120').default(120),

  /**
   * ARN of a certificate of ACM in `region`. With it the load balancer serves HTTPS and redirects HTTP.
   * @default - HTTP only
   */
  certificateArn: text(
    /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[\w-]+$/,
    'be the ARN of a certificate of ACM',
    'copy it from ACM, or remove it to serve HTTP',
  ).optional(),

  /**
   * Name that clients use, covered by the certificate. Point its DNS record at the load balancer.
   * @default - the load balancer's own name
   */
  domainName: text(
    /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/,
    'be a domain name such as realtime.example.com',
    'write it in lower case, without https://',
  ).optional(),

  /**
   * Container Insights of the cluster, about $0.07 a metric and month.
   * @default false
   */
  containerInsights: flag('take true in production').default(false),
});

type Knobs = z.output<typeof knobs>;
type Knob = keyof Knobs;

/** What the stack is built from: every knob, read, checked and with its default. */
export type RealtimeConfig = Readonly<Knobs & { desiredCount: number }>;

/** What a caller may hand over: any of the knobs, as values or as text. */
export type RealtimeConfigInput = Readonly<Record<string, unknown>>;

interface Rule<K extends Knob> {
  readonly of: readonly K[];
  /** The fault, starting with the knob at fault, or nothing. */
  readonly fault: (given: Pick<Knobs, K>) => string | undefined;
}

function rule<const K extends Knob>(of: readonly K[], fault: Rule<K>['fault']) {
  return (input: RealtimeConfigInput): string | undefined => {
    const mask = Object.fromEntries(of.map((knob) => [knob, true])) as { [P in K]: true };
    const given = knobs.pick(mask as never).safeParse(input);
    return given.success ? fault(given.data as Pick<Knobs, K>) : undefined;
  };
}

/** What no knob can tell alone. Each is checked as soon as the knobs that it reads are sound. */
const rules = [
  rule(['backplane', 'desiredCount'], ({ backplane, desiredCount = 1 }) =>
    backplane === 'none' && desiredCount > 1
      ? `\`desiredCount\` must be 1 without a backplane, got: ${desiredCount}; instances that share nothing lose each other's rooms: add -c desiredCount=1, or take backplane=elasticache`
      : undefined,
  ),
  rule(['idleTimeoutSeconds'], ({ idleTimeoutSeconds }) =>
    idleTimeoutSeconds <= heartbeatSeconds
      ? `\`idleTimeoutSeconds\` must be above Socket.IO's heartbeat of ${heartbeatSeconds} s, got: ${idleTimeoutSeconds}; below it the load balancer cuts living sockets: take 120`
      : undefined,
  ),
  rule(['cpu', 'memoryMiB'], ({ cpu, memoryMiB }) => {
    const sold = fargateMemory[cpu];
    if (!sold)
      return `\`cpu\` must be one of ${Object.keys(fargateMemory).join(', ')}, got: ${cpu}; take 256 or more`;
    const [least, most, step] = sold;
    return memoryMiB < least || memoryMiB > most || (memoryMiB - least) % step !== 0
      ? `\`memoryMiB\` must be ${least} to ${most} in steps of ${step} with \`cpu\` ${cpu}, got: ${memoryMiB}; take ${least}`
      : undefined;
  }),
  rule(['region', 'availabilityZones'], ({ region, availabilityZones = [] }) => {
    const foreign = availabilityZones.filter((name) => name.slice(0, -1) !== region);
    return foreign.length > 0
      ? `\`availabilityZones\` must lie in \`region\` ${region}, got: ${foreign.join(', ')}; change one of the two`
      : undefined;
  }),
  rule(['natGateways', 'availabilityZones', 'availabilityZoneCount'], (given) => {
    const zones = given.availabilityZones?.length ?? given.availabilityZoneCount;
    return given.natGateways > zones
      ? `\`natGateways\` must be at most the number of zones (${zones}), got: ${given.natGateways}; take ${zones}`
      : undefined;
  }),
  rule(['region', 'certificateArn'], ({ region, certificateArn }) =>
    certificateArn && certificateArn.split(':')[3] !== region
      ? `\`certificateArn\` must name a certificate in \`region\` ${region}, got: ${JSON.stringify(certificateArn)}; a load balancer takes certificates of its own region only: request one there`
      : undefined,
  ),
  rule(['certificateArn', 'domainName'], ({ certificateArn, domainName }) =>
    (certificateArn === undefined) !== (domainName === undefined)
      ? `\`domainName\` must be set if and only if \`certificateArn\` is, got: ${JSON.stringify(domainName)}; no certificate covers the load balancer's own name: set both or neither`
      : undefined,
  ),
];

function unknownFaults(input: RealtimeConfigInput): string[] {
  const known = Object.keys(knobs.shape);
  return Object.keys(input)
    .filter((key) => !known.includes(key))
    .map(
      (key) =>
        `\`${key}\` must be a knob, got: ${JSON.stringify(input[key])}; take one of ${known.join(', ')}`,
    );
}

/** One fault a knob: what else is wrong with it mostly follows. */
function knobFaults(issues: readonly z.core.$ZodIssue[] = []): string[] {
  const faults = new Map<unknown, string>();
  for (const { path, message } of issues)
    if (!faults.has(path[0])) faults.set(path[0], `\`${String(path[0])}\` ${message}`);
  return [...faults.values()];
}

/**
 * Reads and checks the configuration.
 *
 * @throws ConfigError that lists every fault, each with the value and what to do about it
 */
export function parseConfig(input: RealtimeConfigInput): RealtimeConfig {
  const parsed = knobs.safeParse(input);
  const faults = [
    ...unknownFaults(input),
    ...knobFaults(parsed.error?.issues),
    ...rules.map((check) => check(input)).filter((fault) => fault !== undefined),
  ];
  if (!parsed.success || faults.length > 0)
    throw new ConfigError(`The configuration does not hold:\n${faults.map((f) => `- ${f}`).join('\n')}`);
  return { ...parsed.data, desiredCount: parsed.data.desiredCount ?? defaultCount(parsed.data) };
}

const defaultCount = ({ backplane }: Knobs) => (backplane === 'none' ? 1 : 2);

/** The configuration holds faults, which the message lists; nothing was built. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The knobs among the CDK's context: its own keys carry a `:` or a `/`, but for the notices that a user put off. */
export function knobsOfContext(context: Readonly<Record<string, unknown>>): RealtimeConfigInput {
  const isKnob = (key: string) => !/[:/]/.test(key) && key !== 'acknowledged-issue-numbers';
  return Object.fromEntries(Object.entries(context).filter(([key]) => isKnob(key)));
}
