import { type Minute, minutes, type Recorded } from './alarm-state.ts';
import type { VariantName } from './templates.ts';

/** Recorded data of an alarm, as it fires and as it does not. */
export interface AlarmCases {
  /** The configuration whose alarm is looked at; thresholds depend on it. @default 'prod' */
  readonly variant?: VariantName;
  readonly fires: Readonly<Record<string, Recorded>>;
  readonly staysQuiet: Readonly<Record<string, Recorded>>;
  /** Its state when no metric has any data. */
  readonly withoutData: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
}

/** The same in each minute. */
const steady = (value: Minute): Minute[] => Array(minutes).fill(value);
/** The last minutes differ from those before. */
const lately = (count: number, value: Minute, before?: Minute): Minute[] => [
  ...Array<Minute>(minutes - count).fill(before),
  ...Array<Minute>(count).fill(value),
];
/** These minutes, after others. */
const ending = (before: Minute, ...last: Minute[]): Minute[] => [
  ...Array<Minute>(minutes - last.length).fill(before),
  ...last,
];

const delays = (late: number) => [...Array<number>(100 - late).fill(20), ...Array<number>(late).fill(2_000)];

const ofTasks = (shortOf: number): Pick<AlarmCases, 'fires' | 'staysQuiet' | 'withoutData'> => ({
  fires: { 'one is missing for ten minutes': { RunningTasks: lately(10, shortOf - 1, shortOf) } },
  staysQuiet: {
    'one is replaced within nine minutes': { RunningTasks: lately(9, shortOf - 1, shortOf) },
    'one sidecar sees an older state': { RunningTasks: steady([shortOf - 1, shortOf]) },
  },
  withoutData: 'ALARM',
});

const ofUnprotectedCalls: AlarmCases = {
  variant: 'own domain',
  fires: { 'one task of three is refused': { DeploymentBlocked: lately(5, [0, 1, 0], 0) } },
  staysQuiet: { 'it is refused for four minutes': { DeploymentBlocked: lately(4, [0, 1, 0], 0) } },
  withoutData: 'OK',
};

const atMost = (tasks: number, metric: string, load: Recorded, rest: Recorded): AlarmCases => ({
  variant: 'everything on',
  fires: {
    'all tasks are there, and busy': { [metric]: steady(tasks), CPUUtilization: steady(75), ...load },
  },
  staysQuiet: {
    'all tasks are there, and carry it': { [metric]: steady(tasks), CPUUtilization: steady(40), ...rest },
    'there is room for one more': { [metric]: steady(tasks - 1), CPUUtilization: steady(75), ...load },
    'a deployment doubles the tasks': {
      [metric]: lately(10, tasks, tasks / 2),
      CPUUtilization: steady(75),
      ...load,
    },
    'tasks report no load': { [metric]: steady(tasks) },
  },
  withoutData: 'OK',
});

const ofThrottledPackets = (variant: VariantName, metric: string, shard: string): AlarmCases => ({
  variant,
  fires: {
    'one node': { [`${metric}/${shard}node1`]: steady(0), [`${metric}/${shard}node2`]: lately(3, 40, 0) },
  },
  staysQuiet: {
    'a burst of two minutes': { [metric]: lately(2, 40, 0) },
    'nothing is held back': { [metric]: steady(0) },
  },
  withoutData: 'OK',
});

/** Alarms of a cache with cluster mode off, by the construct's prefix. @param most connections that are too many */
const ofCache = (prefix: string, variant: VariantName, most: number): Record<string, AlarmCases> => ({
  [`${prefix}Memory`]: { variant, ...ofMemory('') },
  [`${prefix}Cpu`]: { variant, ...ofCpu('') },
  ...ofCacheFaults(prefix, variant, '', most),
});

type OfNodes = Omit<AlarmCases, 'variant'>;

/** @param shard `shard1` where nodes of several shards have their names */
const ofMemory = (shard: string): OfNodes => ({
  fires: {
    'one node': {
      [`DatabaseMemoryUsagePercentage/${shard}node1`]: steady(40),
      [`DatabaseMemoryUsagePercentage/${shard}node2`]: lately(10, 71, 60),
    },
  },
  staysQuiet: { 'a burst': { DatabaseMemoryUsagePercentage: lately(5, 90, 60) } },
  withoutData: 'INSUFFICIENT_DATA',
});

const ofCpu = (shard: string): OfNodes => ({
  fires: {
    'the primary': {
      [`EngineCPUUtilization/${shard}node1`]: lately(10, 95, 40),
      [`EngineCPUUtilization/${shard}node2`]: steady(20),
    },
  },
  staysQuiet: { 'every other minute': { EngineCPUUtilization: steady(60) } },
  withoutData: 'INSUFFICIENT_DATA',
});

const ofPrimary = (shard: string): OfNodes => ({
  fires: {
    'none of its nodes is the primary': { IsMaster: lately(5, 0) },
    'both are away': { [`IsMaster/${shard}node1`]: lately(5, undefined, 1) },
  },
  staysQuiet: {
    'a failover': {
      [`IsMaster/${shard}node1`]: ending(1, undefined, undefined, 0, 0, 0),
      [`IsMaster/${shard}node2`]: ending(0, 0, 0, 1, 1, 1),
    },
    'the replica is replaced': { [`IsMaster/${shard}node1`]: steady(1) },
  },
  withoutData: 'ALARM',
});

const ofCacheFaults = (
  prefix: string,
  variant: VariantName,
  shard: string,
  most: number,
): Record<string, AlarmCases> => ({
  [`${prefix}Connections`]: {
    variant,
    fires: { 'connections that nobody closes': { CurrConnections: lately(10, most + 1, 100) } },
    staysQuiet: { 'a deployment at full size': { CurrConnections: steady(most) } },
    withoutData: 'INSUFFICIENT_DATA',
  },
  [`${prefix}NetworkIn`]: ofThrottledPackets(variant, 'NetworkBandwidthInAllowanceExceeded', shard),
  [`${prefix}NetworkOut`]: ofThrottledPackets(variant, 'NetworkBandwidthOutAllowanceExceeded', shard),
  [`${prefix}Logins`]: {
    variant,
    fires: {
      'one, on one node': { [`AuthenticationFailures/${shard}node2`]: lately(1, 1, 0) },
      'one, while the other node is replaced': { [`AuthenticationFailures/${shard}node1`]: lately(5, 1) },
    },
    staysQuiet: { 'nobody is refused': { AuthenticationFailures: steady(0) } },
    withoutData: 'OK',
  },
  [`${prefix}Lag`]: {
    variant,
    fires: {
      'the replica; the primary reports none': { [`ReplicationLag/${shard}node2`]: lately(3, 12, 0) },
    },
    staysQuiet: { 'a copy that catches up': { [`ReplicationLag/${shard}node2`]: lately(2, 12, 0) } },
    withoutData: 'OK',
  },
});

const ofShard = (shard: string, node: string): Record<string, AlarmCases> => ({
  [`CacheMemoryShard${shard}`]: { variant: 'several shards', ...ofMemory(node) },
  [`CacheCpuShard${shard}`]: { variant: 'several shards', ...ofCpu(node) },
  [`CachePrimary${shard}`]: { variant: 'several shards', ...ofPrimary(node) },
});

/** By the alarm's construct. */
export const alarmCases: Readonly<Record<string, AlarmCases>> = {
  UnhealthyTargets: {
    fires: { 'a task hangs': { UnHealthyHostCount: lately(3, [1, 0], 0) } },
    staysQuiet: { 'a task starts slowly': { UnHealthyHostCount: lately(2, 1, 0) } },
    withoutData: 'OK',
  },
  TaskShortage: {
    fires: { 'two of three tasks': { HealthyHostCount: lately(10, 2, 3) } },
    staysQuiet: {
      'a task is replaced': { HealthyHostCount: lately(9, 2, 3) },
      'one node of the load balancer sees it late': { HealthyHostCount: steady([2, 3]) },
    },
    withoutData: 'ALARM',
  },
  ReconnectRate: {
    fires: {
      'all clients, each four minutes': { Connects: steady([100, 100]), Connections: steady([400, 400]) },
    },
    staysQuiet: {
      'all clients, once': { Connects: lately(5, [400, 400], 0), Connections: steady([400, 400]) },
      'a handful of clients': { Connects: steady(15), Connections: steady(10) },
      'a task that does not report': { Connects: steady([100, 100]) },
    },
    withoutData: 'OK',
  },
  SlowResponses: {
    fires: { 'all requests wait': { TargetResponseTime: lately(10, [2, 3, 25, 25], [0.01]) } },
    staysQuiet: {
      'clients use long-polling': { TargetResponseTime: steady([0.005, 25, 0.01, 25]) },
      'for five minutes': { TargetResponseTime: lately(5, [2, 3], [0.01]) },
    },
    withoutData: 'OK',
  },
  LateDeliveries: {
    fires: { 'two messages of a hundred': { PublishToDelivery: lately(10, delays(2), delays(0)) } },
    staysQuiet: {
      'a message of a hundred': { PublishToDelivery: steady(delays(1)) },
      'a failover': { PublishToDelivery: lately(2, delays(100), delays(0)) },
    },
    withoutData: 'OK',
  },
  ServerErrors: {
    fires: {
      'a tenth of requests, by the tasks': {
        HTTPCode_Target_5XX_Count: lately(3, 20),
        RequestCount: steady(200),
      },
      'all of them, by the load balancer, which has no task': { HTTPCode_ELB_5XX_Count: lately(3, 50) },
    },
    staysQuiet: {
      'one of fifty': { HTTPCode_Target_5XX_Count: steady(20), RequestCount: steady(1_000) },
      'five of six': { HTTPCode_Target_5XX_Count: steady(5), RequestCount: steady(6) },
      'two minutes': { HTTPCode_Target_5XX_Count: lately(2, 100), RequestCount: steady(200) },
    },
    withoutData: 'OK',
  },
  Gaps: {
    fires: { 'a room of one member': { Gaps: lately(1, [0, 1], 0) } },
    staysQuiet: { 'no member': { Gaps: steady([0, 0]) } },
    withoutData: 'OK',
  },
  LossesReported: {
    fires: { 'three of four, twice in a row': { LossesReported: lately(10, 30, 0), Joins: steady(40) } },
    staysQuiet: {
      'clients that come back in the morning': { LossesReported: steady(30), Joins: steady(100) },
      'five of five': { LossesReported: steady(1), Joins: steady(1) },
      once: { LossesReported: lately(5, 30, 0), Joins: steady(40) },
    },
    withoutData: 'OK',
  },
  ServiceDegraded: {
    fires: { 'one task for three minutes': { DegradedSeconds: lately(3, [0, 60, 0], [0, 0, 0]) } },
    staysQuiet: {
      'a failover': { DegradedSeconds: ending(0, 25, 60, 10) },
      'a moment each minute': { DegradedSeconds: steady(5) },
    },
    withoutData: 'OK',
  },
  DemotedPrimary: {
    fires: { 'minute after minute': { DemotedPrimary: lately(3, [1, 1]) } },
    staysQuiet: { 'a failover': { DemotedPrimary: lately(2, [1, 1, 1]) } },
    withoutData: 'OK',
  },
  // Twelve tasks at most, twice during a deployment, 50 connections each, and 100.
  ...ofCache('Cache', 'prod', 1_300),
  // Two nodes, twice during a deployment.
  ...ofCache('LiveKitCache', 'several shards', 300),
  ...ofShard('0001', 'shard1'),
  ...ofShard('0002', 'shard2'),
  ...ofShard('0003', 'shard3'),
  CloudFrontErrors: {
    fires: { 'a tenth of requests': { Requests: steady(100), '5xxErrorRate': lately(10, 10, 0) } },
    staysQuiet: {
      'one of five requests': { Requests: steady(1), '5xxErrorRate': steady(20) },
      'one of a hundred': { Requests: steady(1_000), '5xxErrorRate': steady(1) },
    },
    withoutData: 'OK',
  },
  WafBlocks: {
    fires: {
      'a third of requests': { BlockedRequests: lately(10, 50), AllowedRequests: steady(100) },
      'every request': { BlockedRequests: lately(10, 50) },
    },
    staysQuiet: {
      scanners: { BlockedRequests: steady(50), AllowedRequests: steady(1_000) },
      'a few of a few': { BlockedRequests: steady(5), AllowedRequests: steady(5) },
    },
    withoutData: 'OK',
  },
  NatPorts: {
    fires: { 'one gateway of two': { 'ErrorPortAllocation/errorPortAllocation2': lately(1, 3) } },
    staysQuiet: { 'no gateway': { ErrorPortAllocation: steady(0) } },
    withoutData: 'OK',
  },
  LiveKitAlone: {
    variant: 'own domain',
    fires: {
      'a node that reaches no Redis': {
        RunningTasks: steady([2, 2]),
        LiveNodes: lately(5, [1, 1], [2, 2]),
      },
      'no node reaches it': { RunningTasks: steady([2, 2]) },
    },
    staysQuiet: {
      'a deployment': { RunningTasks: lately(4, [4, 4], [2, 2]), LiveNodes: lately(4, [2, 2], [2, 2]) },
    },
    withoutData: 'ALARM',
  },
  LiveKitStrangers: {
    variant: 'own domain',
    fires: { 'another deployment': { RunningTasks: steady(2), LiveNodes: steady([4, 4]) } },
    staysQuiet: {
      'a node that ends its calls': { RunningTasks: steady(2), LiveNodes: lately(12, [3, 3], [2, 2]) },
    },
    withoutData: 'OK',
  },
  LiveKitShortage: { variant: 'own domain', ...ofTasks(2) },
  AgentShortage: { variant: 'own domain', ...ofTasks(2) },
  LiveKitCallsUnprotected: ofUnprotectedCalls,
  AgentCallsUnprotected: ofUnprotectedCalls,
  ServiceAtMaximum: atMost(
    6,
    'HealthyHostCount',
    { Connections: steady(1_000) },
    { Connections: steady(1_000) },
  ),
  LiveKitAtMaximum: atMost(6, 'RunningTasks', {}, {}),
  AgentAtMaximum: atMost(8, 'RunningTasks', { Jobs: steady(8) }, { Jobs: steady(6) }),
};
