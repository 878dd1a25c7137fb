import type { EnvironmentName, Knobs } from './knobs.ts';

/** The knobs that are not optional. */
type Required = {
  [K in keyof Knobs as undefined extends Knobs[K] ? never : K]: Knobs[K];
};

const common = {
  region: 'us-east-1',
  backplane: 'elasticache',
  cacheShards: 1,
  cacheEngineVersion: '8.2',
  cacheMaintenanceWindow: 'sun:04:00-sun:05:00',
  passwordVersion: 1,
  redisSecretForm: 'login',
  redisTls: true,
  cpuArchitecture: 'arm64',
  ecsExec: false,
  modelProvider: 'offline',
  idleTimeoutSeconds: 120,
  wafRequestsPerAddress: 20_000,
  liveKitNodes: 0,
  liveKitInstanceType: 'c7g.xlarge',
  liveKitKeyVersion: 1,
  maxCallDrainMinutes: 60,
  liveKitStopMinutes: 10,
  turn: true,
  // Four calls with three models each use 70% of a processor, and a worker accepts no more calls at 70%.
  agentCallsPerTask: 3,
  agentMode: 'echo',
  agentReadOnlyRoot: true,
} as const;

/** The presets: `dev` to try the stack for little money, `prod` for users. */
export const presets: Readonly<Record<EnvironmentName, Readonly<Required>>> = {
  dev: {
    ...common,
    environment: 'dev',
    stackName: 'realtime-dev',
    availabilityZoneCount: 2,
    natGateways: 0,
    cacheNodeType: 'cache.t4g.micro',
    cacheReplicas: 0,
    cacheSnapshotDays: 0,
    minTasks: 2,
    cpu: 256,
    memoryMiB: 512,
    drainSeconds: 10,
    guests: true,
    liveKitCapacity: 'fargate',
    liveKitCpu: 512,
    liveKitMemoryMiB: 1024,
    agentTasks: 1,
    waf: false,
    containerInsights: false,
    logRetentionDays: 7,
    removalPolicy: 'destroy',
    deletionProtection: false,
  },
  prod: {
    ...common,
    environment: 'prod',
    stackName: 'realtime-prod',
    availabilityZoneCount: 3,
    natGateways: 2,
    cacheNodeType: 'cache.m7g.large',
    cacheReplicas: 1,
    cacheSnapshotDays: 1,
    minTasks: 3,
    cpu: 1024,
    memoryMiB: 2048,
    drainSeconds: 60,
    guests: false,
    liveKitCapacity: 'ec2',
    liveKitCpu: 1024,
    liveKitMemoryMiB: 2048,
    agentTasks: 2,
    waf: true,
    containerInsights: true,
    logRetentionDays: 90,
    removalPolicy: 'retain',
    deletionProtection: true,
  },
};
