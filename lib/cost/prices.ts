/** Prices on demand in us-east-1, in dollars. Other regions cost up to a half more. */
export const prices = {
  /** When they were read from AWS's pages. */
  asOf: '2026-11',
  hoursAMonth: 730,

  fargate: {
    ARM64: { vCpuHour: 0.03238, gbHour: 0.00356 },
    X86_64: { vCpuHour: 0.04048, gbHour: 0.004445 },
  },
  loadBalancerHour: 0.0225,
  capacityUnitHour: 0.008,
  networkCapacityUnitHour: 0.006,
  natGatewayHour: 0.045,
  publicAddressHour: 0.005,
  secretMonth: 0.4,
  webAclMonth: 5,
  webAclRuleMonth: 1,
  alarmMetricMonth: 0.1,
  customMetricMonth: 0.3,
  /** Container Insights bills each of its metrics. */
  insightMetricMonth: 0.07,
  logGb: 0.5,
  diskGbMonth: 0.08,
  egressGb: 0.09,
} as const;

/** Nodes of ElastiCache for Valkey: dollars an hour, GiB of memory, processors. */
export const cacheNodes: Readonly<
  Record<string, { readonly hour: number; readonly gib: number; readonly cpus: number }>
> = {
  'cache.t4g.micro': { hour: 0.0128, gib: 0.5, cpus: 2 },
  'cache.t4g.small': { hour: 0.0256, gib: 1.37, cpus: 2 },
  'cache.t4g.medium': { hour: 0.052, gib: 3.09, cpus: 2 },
  'cache.m7g.large': { hour: 0.1264, gib: 6.38, cpus: 2 },
  'cache.m7g.xlarge': { hour: 0.2516, gib: 12.94, cpus: 4 },
  'cache.m7g.2xlarge': { hour: 0.5034, gib: 26.05, cpus: 8 },
  'cache.m7g.4xlarge': { hour: 1.0059, gib: 52.26, cpus: 16 },
  'cache.r7g.large': { hour: 0.1752, gib: 13.07, cpus: 2 },
  'cache.r7g.xlarge': { hour: 0.3496, gib: 26.32, cpus: 4 },
};

/** EC2 instances: dollars an hour, processors. */
export const instances: Readonly<Record<string, { readonly hour: number; readonly cpus: number }>> = {
  'c7g.large': { hour: 0.0725, cpus: 2 },
  'c7g.xlarge': { hour: 0.145, cpus: 4 },
  'c7g.2xlarge': { hour: 0.29, cpus: 8 },
  'c7g.4xlarge': { hour: 0.58, cpus: 16 },
};
