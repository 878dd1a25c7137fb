import { GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import {
  DescribeAddressesCommand,
  DescribeInstanceTypesCommand,
  paginateDescribeVpcs,
} from '@aws-sdk/client-ec2';
import { paginateDescribeLoadBalancers } from '@aws-sdk/client-elastic-load-balancing-v2';
import { paginateDescribeCacheClusters } from '@aws-sdk/client-elasticache';
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  type ServiceQuota,
} from '@aws-sdk/client-service-quotas';
import { passed } from '../../finding.ts';
import { ask } from '../aws.ts';
import type { Check, Plan } from '../check.ts';
import { deployedPermissions } from '../deployed.ts';
import { type Finding, failed, NotCheckedError, warned } from '../finding.ts';

interface Quota {
  readonly service: string;
  readonly code: string;
  /** What is counted, in the plural. */
  readonly unit: string;
}

const quotaPermissions = {
  'servicequotas:GetServiceQuota': '*',
  'servicequotas:GetAWSDefaultServiceQuota': '*',
};
const usagePermissions = { 'cloudwatch:GetMetricStatistics': '*' };

/** The quota of the account, or AWS's default if the account has no value of its own. */
async function readQuota({ aws }: Plan, { service, code }: Quota): Promise<ServiceQuota> {
  const asked = { ServiceCode: service, QuotaCode: code };
  const own = await ask(
    'servicequotas:GetServiceQuota',
    aws.quotas.send(new GetServiceQuotaCommand(asked)),
    /^NoSuchResource/,
  );
  const { Quota: quota } =
    own ??
    (await ask(
      'servicequotas:GetAWSDefaultServiceQuota',
      aws.quotas.send(new GetAWSDefaultServiceQuotaCommand(asked)),
    ));
  if (quota?.Value === undefined) throw new NotCheckedError(`Service Quotas has no value of ${code}`);
  return quota;
}

/** What is in use by CloudWatch, which counts every five minutes. */
async function readUsage({ aws }: Plan, { UsageMetric: metric, QuotaCode }: ServiceQuota): Promise<number> {
  if (!metric?.MetricNamespace) throw new NotCheckedError(`Service Quotas names no metric of ${QuotaCode}`);
  const { Datapoints = [] } = await ask(
    'cloudwatch:GetMetricStatistics',
    aws.cloudWatch.send(
      new GetMetricStatisticsCommand({
        Namespace: metric.MetricNamespace,
        MetricName: metric.MetricName,
        Dimensions: Object.entries(metric.MetricDimensions ?? {}).map(([Name, Value]) => ({ Name, Value })),
        Statistics: ['Maximum'],
        Period: 300,
        StartTime: new Date(Date.now() - 3_600_000),
        EndTime: new Date(),
      }),
    ),
  );
  return Math.max(0, ...Datapoints.map(({ Maximum = 0 }) => Maximum));
}

const rounded = (number: number) => String(Math.round(number * 100) / 100);

interface Demand {
  readonly used: number;
  /** What this deployment takes in addition to what is in use. */
  readonly more: number;
  /** Where that comes from. */
  readonly because: string;
}

/** Compares, and says how to get more. */
function judge(
  { config }: Plan,
  quota: Quota & { readonly value: number },
  { used, more, because }: Demand,
  complain: typeof failed | typeof warned = failed,
): Finding {
  const { value, unit, service, code } = quota;
  const found = `${rounded(value)} ${unit}, ${rounded(used)} in use`;
  if (used + more <= value) return passed(`${found}, ${rounded(more)} needed: ${because}`);
  return complain({
    found,
    needed: `${rounded(more)} more: ${because}`,
    fix: `\`aws service-quotas request-service-quota-increase --region ${config.region} --service-code ${service} --quota-code ${code} --desired-value ${Math.ceil(used + more)}\`; AWS answers within hours or days`,
  });
}

/** A quota of things that the template names one by one. */
function countedQuota(
  name: string,
  quota: Quota,
  types: { readonly type: string; readonly isKind?: (id: string) => boolean },
  needed: (plan: Plan) => number,
  permissions: Readonly<Record<string, string>>,
  countUsed: (plan: Plan) => Promise<number>,
): Check {
  return {
    name,
    permissions: { ...quotaPermissions, ...deployedPermissions, ...permissions },
    applies: (plan) => needed(plan) > 0,
    async run(plan) {
      const { Value: value = 0 } = await readQuota(plan, quota);
      const used = await countUsed(plan);
      const deployed = await plan.deployed();
      const own = (deployed?.ids(types.type) ?? []).filter(types.isKind ?? (() => true)).length;
      const more = Math.max(0, needed(plan) - own);
      const because = own > 0 ? `${needed(plan)} in all, ${own} of them there already` : 'for this stack';
      return judge(plan, { ...quota, value }, { used, more, because });
    },
  };
}

export const addresses = countedQuota(
  'elastic-ips',
  { service: 'ec2', code: 'L-0263D0A3', unit: 'Elastic IP addresses' },
  { type: 'AWS::EC2::EIP' },
  ({ needs }) => needs.addresses,
  { 'ec2:DescribeAddresses': '*' },
  async ({ aws }) => {
    const { Addresses = [] } = await ask(
      'ec2:DescribeAddresses',
      aws.ec2.send(new DescribeAddressesCommand({})),
    );
    return Addresses.length;
  },
);

export const networks = countedQuota(
  'vpcs',
  { service: 'vpc', code: 'L-F678F1CE', unit: 'VPCs' },
  { type: 'AWS::EC2::VPC' },
  ({ needs }) => needs.networks,
  { 'ec2:DescribeVpcs': '*' },
  ({ aws }) =>
    ask(
      'ec2:DescribeVpcs',
      total(paginateDescribeVpcs({ client: aws.ec2 }, {}), ({ Vpcs = [] }) => Vpcs.length),
    ),
);

const loadBalancers = (kind: 'application' | 'network', code: string, needed: (plan: Plan) => number) =>
  countedQuota(
    `${kind}-load-balancers`,
    { service: 'elasticloadbalancing', code, unit: `${kind} load balancers` },
    {
      type: 'AWS::ElasticLoadBalancingV2::LoadBalancer',
      isKind: (arn) => arn.includes(kind === 'network' ? '/net/' : '/app/'),
    },
    needed,
    { 'elasticloadbalancing:DescribeLoadBalancers': '*' },
    ({ aws }) =>
      ask(
        'elasticloadbalancing:DescribeLoadBalancers',
        total(
          paginateDescribeLoadBalancers({ client: aws.loadBalancers }, {}),
          ({ LoadBalancers = [] }) => LoadBalancers.filter(({ Type }) => Type === kind).length,
        ),
      ),
  );

export const applicationLoadBalancers = loadBalancers(
  'application',
  'L-53DA6B97',
  ({ needs }) => needs.applicationLoadBalancers,
);
export const networkLoadBalancers = loadBalancers(
  'network',
  'L-69A177A2',
  ({ needs }) => needs.networkLoadBalancers,
);

/** Nodes of a region: a cluster that takes the place of a single node, or bigger nodes, stand beside the old ones for a while. */
export const cacheNodes: Check = {
  name: 'cache-nodes',
  permissions: { ...quotaPermissions, ...deployedPermissions, 'elasticache:DescribeCacheClusters': '*' },
  applies: ({ needs }) => needs.cacheNodes > 0,
  async run(plan) {
    const quota = { service: 'elasticache', code: 'L-DFE45DF3', unit: 'nodes of ElastiCache' };
    const { Value: value = 0 } = await readQuota(plan, quota);
    const used = await ask(
      'elasticache:DescribeCacheClusters',
      total(paginateDescribeCacheClusters({ client: plan.aws.elastiCache }, {}), ({ CacheClusters = [] }) =>
        CacheClusters.reduce((sum, { NumCacheNodes = 0 }) => sum + NumCacheNodes, 0),
      ),
    );
    const hasCache = ((await plan.deployed())?.count('AWS::ElastiCache::ReplicationGroup') ?? 0) > 0;
    const { cacheNodes: more } = plan.needs;
    const because = hasCache ? 'if this deployment replaces those of the stack' : 'for this stack';
    return judge(plan, { ...quota, value }, { used, more, because }, hasCache ? warned : failed);
  },
};

async function total<T>(pages: AsyncIterable<T>, of: (page: T) => number): Promise<number> {
  let sum = 0;
  for await (const page of pages) sum += of(page);
  return sum;
}

interface VCpuDemand {
  /** vCPUs at least, and when it has scaled out. */
  readonly least: number;
  readonly most: number;
  readonly what: string;
  /** Type of the resources that a deployed stack has of it. */
  readonly type: string;
}

/**
 * vCPUs: a deployment starts new tasks beside the old ones, so that each needs twice as many for a while. Those that run
 * already are in use.
 */
async function judgeVCpus(
  plan: Plan,
  quota: Quota,
  { least, most, what, type }: VCpuDemand,
): Promise<Finding> {
  const read = await readQuota(plan, quota);
  const used = await readUsage(plan, read);
  const runs = ((await plan.deployed())?.count(type) ?? 0) > 0;
  const known = { ...quota, value: read.Value ?? 0 };
  const more = (vCpus: number) => 2 * vCpus - (runs ? least : 0);
  const now = judge(plan, known, {
    used,
    more: more(least),
    because: `${what}, doubled while a deployment replaces them`,
  });
  if (now.status !== 'passed' || most <= least) return now;
  const later = judge(
    plan,
    known,
    {
      used,
      more: more(most),
      because: `${what} scaled out to ${rounded(most)} vCPUs, doubled while a deployment replaces them`,
    },
    warned,
  );
  return later.status === 'passed' ? now : later;
}

export const fargate: Check = {
  name: 'fargate-vcpus',
  permissions: { ...quotaPermissions, ...usagePermissions, ...deployedPermissions },
  applies: ({ needs }) => needs.fargate.least > 0,
  run: (plan) =>
    judgeVCpus(
      plan,
      { service: 'fargate', code: 'L-3032A538', unit: 'vCPUs' },
      {
        ...plan.needs.fargate,
        what: `tasks of ${rounded(plan.needs.fargate.least)} vCPUs`,
        type: 'AWS::ECS::Service',
      },
    ),
};

/** The quota L-1216C47A counts the vCPUs of these families. */
const standardFamilies = /^([acdhimrtz]|im|is)\d/;

export const hosts: Check = {
  name: 'ec2-vcpus',
  permissions: {
    ...quotaPermissions,
    ...usagePermissions,
    ...deployedPermissions,
    'ec2:DescribeInstanceTypes': '*',
  },
  applies: ({ config }) => config.liveKit?.capacity.kind === 'ec2',
  async run(plan) {
    const { liveKit } = plan.config;
    if (liveKit?.capacity.kind !== 'ec2') throw new NotCheckedError('LiveKit has no hosts');
    const { instanceType } = liveKit.capacity;
    if (!standardFamilies.test(instanceType))
      throw new NotCheckedError(
        `${instanceType} is of a family with a quota of its own: look in the console under Service Quotas, Amazon EC2, “Running On-Demand … instances”`,
      );
    const response = await ask(
      'ec2:DescribeInstanceTypes',
      plan.aws.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: [instanceType as never] })),
      /^InvalidInstanceType/,
    );
    const vCpus = response?.InstanceTypes?.[0]?.VCpuInfo?.DefaultVCpus;
    if (vCpus === undefined)
      return failed({
        found: `${plan.config.region} has no instances of type ${instanceType}`,
        needed: 'a type for `liveKitInstanceType`',
        fix: `choose one of \`aws ec2 describe-instance-type-offerings --region ${plan.config.region}\``,
      });
    return judgeVCpus(
      plan,
      { service: 'ec2', code: 'L-1216C47A', unit: 'vCPUs of standard instances' },
      {
        least: vCpus * liveKit.minTasks,
        most: vCpus * liveKit.maxTasks,
        what: `${liveKit.minTasks} × ${instanceType} of ${vCpus} vCPUs`,
        type: 'AWS::AutoScaling::AutoScalingGroup',
      },
    );
  },
};
