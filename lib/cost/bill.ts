import { serviceMetrics } from '../../app/metric-names.ts';
import { sidecarEnvironment, sidecarMetrics } from '../../livekit/sidecar/names.ts';
import { cacheNodes, instances, isFree, prices } from './prices.ts';

/** The part of a synthesized template that the bill needs. */
export interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: Properties }>>;
}

// biome-ignore lint/suspicious/noExplicitAny: properties are JSON of any shape
type Properties = any;

/** One line of a bill. */
export interface LineItem {
  readonly what: string;
  readonly quantity: number;
  /** Dollars a month for each. */
  readonly each: number;
}

export interface Bill {
  readonly items: readonly LineItem[];
  /** Dollars a month. */
  readonly total: number;
  /** Resource types and sizes that the price table does not have. The total leaves them out. */
  readonly unknown: readonly string[];
}

/** What the resources of a template cost a month before traffic, at on-demand prices. */
export function billOf(template: Template): Bill {
  const { items, unknown } = lineItems(template);
  const merged = new Map<string, LineItem>();
  for (const item of items) {
    const key = `${item.what} ${item.each}`;
    merged.set(key, { ...item, quantity: item.quantity + (merged.get(key)?.quantity ?? 0) });
  }
  const lines = [...merged.values()].filter(({ quantity }) => quantity > 0);
  return {
    items: lines.sort((one, other) => other.quantity * other.each - one.quantity * one.each),
    total: lines.reduce((sum, { quantity, each }) => sum + quantity * each, 0),
    unknown: [...new Set(unknown)].sort(),
  };
}

interface Items {
  readonly items: LineItem[];
  readonly unknown: string[];
}

type Pricer = (properties: Properties, template: Template, into: Items, id: string) => void;

const monthly = (hour: number) => hour * prices.hoursAMonth;

/** Capacity units of a load balancer without traffic: listeners and health checks. */
const idleCapacityUnits = 0.1;

/** Logs without traffic in GB a month: the service's metrics and starts, and rejected packets in the flow log. */
const quietLogGb = { ServiceContainerLogs: 0.2, NetworkFlowLogs: 1 } as const;

/** Metrics of Container Insights with enhanced observability, of the cluster with its services and of each task. */
const insightMetrics = { cluster: 30, task: 60 };

const pricers: Readonly<Record<string, Pricer>> = {
  'AWS::EC2::NatGateway': (_, __, { items }) => {
    items.push({ what: 'NAT gateway', quantity: 1, each: monthly(prices.natGatewayHour) });
  },
  'AWS::EC2::VPCEndpoint': ({ VpcEndpointType, SubnetIds }, _, { items }) => {
    // Gateway endpoints, such as the one for S3, are free.
    if (VpcEndpointType !== 'Interface') return;
    items.push({
      what: 'interface endpoint in a zone',
      quantity: SubnetIds.length,
      each: monthly(prices.interfaceEndpointHour),
    });
  },
  'AWS::EC2::EIP': (_, __, { items }) => items.push(address(1)),
  'AWS::ElasticLoadBalancingV2::LoadBalancer': ({ Type, Scheme, Subnets = [] }, _, { items }) => {
    const [kind, unitHour] =
      Type === 'network'
        ? ['network load balancer', prices.networkCapacityUnitHour]
        : ['load balancer', prices.capacityUnitHour];
    items.push(
      { what: kind, quantity: 1, each: monthly(prices.loadBalancerHour) },
      { what: `${kind} capacity unit`, quantity: idleCapacityUnits, each: monthly(unitHour) },
    );
    if (Scheme === 'internet-facing') items.push(address(Subnets.length));
  },
  'AWS::ECS::Service': (service, template, { items }, id) => {
    if (service.LaunchType !== 'FARGATE') return;
    const tasks = tasksOf(id, service, template);
    items.push({ ...taskOf(service, template), quantity: tasks });
    const hasAddress = service.NetworkConfiguration?.AwsvpcConfiguration?.AssignPublicIp === 'ENABLED';
    if (hasAddress) items.push(address(tasks));
  },
  'AWS::ECS::Cluster': ({ ClusterSettings = [] }, template, { items }) => {
    if (ClusterSettings[0]?.Value !== 'enhanced') return;
    const tasks = ofType(template, 'AWS::ECS::Service').reduce(
      (sum, [id, service]) => sum + tasksOf(id, service, template),
      0,
    );
    items.push({
      what: 'Container Insights metric, about',
      quantity: insightMetrics.cluster + insightMetrics.task * tasks,
      each: prices.insightMetricMonth,
    });
  },
  'AWS::ElastiCache::ReplicationGroup': (group, _, { items, unknown }) => {
    const { CacheNodeType } = group;
    const node = cacheNodes[CacheNodeType];
    if (node) items.push({ what: CacheNodeType, quantity: nodesOf(group), each: monthly(node.hour) });
    else unknown.push(`node type ${CacheNodeType}`);
  },
  'AWS::AutoScaling::AutoScalingGroup': ({ MinSize }, template, { items, unknown }) => {
    const [[, launch] = []] = ofType(template, 'AWS::EC2::LaunchTemplate');
    const { InstanceType, BlockDeviceMappings = [] } = launch?.LaunchTemplateData ?? {};
    const instance = instances[InstanceType];
    const hosts = Number(MinSize);
    if (instance) items.push({ what: InstanceType, quantity: hosts, each: monthly(instance.hour) });
    else unknown.push(`instance type ${InstanceType}`);
    for (const { Ebs } of BlockDeviceMappings)
      items.push({ what: 'disk, GB', quantity: hosts * Ebs.VolumeSize, each: prices.diskGbMonth });
    items.push(address(hosts));
  },
  'AWS::SecretsManager::Secret': (_, __, { items }) => {
    items.push({ what: 'secret', quantity: 1, each: prices.secretMonth });
  },
  'AWS::WAFv2::WebACL': ({ Rules }, _, { items }) => {
    items.push(
      { what: 'web ACL', quantity: 1, each: prices.webAclMonth },
      { what: 'web ACL rule', quantity: Rules.length, each: prices.webAclRuleMonth },
    );
  },
  'AWS::CloudWatch::Alarm': ({ Metrics = [{ MetricStat: {} }] }, _, { items }) => {
    const quantity = Metrics.filter(({ MetricStat }: Properties) => MetricStat).length;
    items.push({ what: 'alarm, by its metrics', quantity, each: prices.alarmMetricMonth });
  },
  'AWS::CloudWatch::Dashboard': (_, __, { items }) => {
    items.push({ what: 'dashboard', quantity: 1, each: prices.dashboardMonth });
  },
  'AWS::ApplicationAutoScaling::ScalingPolicy': (_, __, { items }) => {
    // Target tracking creates two alarms, to scale out and in.
    items.push({ what: 'alarm, by its metrics', quantity: 2, each: prices.alarmMetricMonth });
  },
  'AWS::Logs::MetricFilter': (_, __, { items }) => {
    items.push({ what: 'custom metric', quantity: 1, each: prices.customMetricMonth });
  },
};

const address = (quantity: number): LineItem => ({
  what: 'public IPv4 address',
  quantity,
  each: monthly(prices.publicAddressHour),
});

/** Nodes of a replication group: of its shards in cluster mode, else its one primary with the replicas. */
export const nodesOf = ({ NumCacheClusters, NumNodeGroups, ReplicasPerNodeGroup }: Properties): number =>
  NumCacheClusters ?? NumNodeGroups * (1 + ReplicasPerNodeGroup);

/** The line items of each resource. */
function lineItems(template: Template): Items {
  const into: Items = { items: [], unknown: [] };
  for (const [id, { Type, Properties = {} }] of Object.entries(template.Resources)) {
    const pricer = pricers[Type];
    if (pricer) pricer(Properties, template, into, id);
    else if (Type === 'AWS::Logs::LogGroup') into.items.push(logOf(id));
    else if (!isFree(Type)) into.unknown.push(Type);
  }
  into.items.push({ what: 'custom metric', quantity: metricsOf(template), each: prices.customMetricMonth });
  return into;
}

/** Tasks of a service at least. @param service its logical id */
export function tasksOf(service: string, { DesiredCount }: Properties, template: Template): number {
  if (DesiredCount !== undefined) return DesiredCount;
  const own = ofType(template, 'AWS::ApplicationAutoScaling::ScalableTarget').find(([, { ResourceId }]) =>
    JSON.stringify(ResourceId).includes(`"${service}"`),
  );
  return own?.[1].MinCapacity ?? 1;
}

function taskOf(service: Properties, template: Template): LineItem {
  const task = template.Resources[service.TaskDefinition.Ref]?.Properties ?? {};
  const architecture: keyof typeof prices.fargate = task.RuntimePlatform?.CpuArchitecture ?? 'X86_64';
  const [vCpus, gb] = [Number(task.Cpu) / 1024, Number(task.Memory) / 1024];
  const { vCpuHour, gbHour } = prices.fargate[architecture];
  return {
    what: `task of ${vCpus} vCPU and ${gb} GB (${architecture})`,
    quantity: 1,
    each: monthly(vCpus * vCpuHour + gb * gbHour),
  };
}

function logOf(id: string): LineItem {
  const known = Object.entries(quietLogGb).find(([name]) => id.startsWith(name));
  return { what: 'log, GB', quantity: known?.[1] ?? 0, each: prices.logGb };
}

/** Each service has its metrics once, because their dimensions name no task. */
function metricsOf(template: Template): number {
  return ofType(template, 'AWS::ECS::TaskDefinition')
    .flatMap(([, { ContainerDefinitions = [] }]) => ContainerDefinitions)
    .map(({ Environment = [] }) => Environment.map(({ Name }: Properties) => Name) as string[])
    .filter((variables) => variables.includes('EMF_NAMESPACE'))
    .reduce((sum, variables) => sum + metricCountOf(variables), 0);
}

function metricCountOf(variables: readonly string[]): number {
  if (variables.includes(sidecarEnvironment.agentWorkerUrl)) return sidecarMetrics.agent.length;
  if (variables.includes(sidecarEnvironment.liveKitConfig)) return sidecarMetrics.livekit.length;
  return serviceMetrics.length;
}

export function ofType(template: Template, type: string): readonly [id: string, properties: Properties][] {
  return Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => [id, resource.Properties ?? {}]);
}
