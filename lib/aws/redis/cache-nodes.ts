import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

/** Metrics of a cache's node that alarms and the dashboard read. */
export type NodeMetric =
  | 'DatabaseMemoryUsagePercentage'
  | 'EngineCPUUtilization'
  | 'CPUUtilization'
  | 'CurrConnections'
  | 'NewConnections'
  | 'Evictions'
  | 'ReplicationLag'
  | 'IsMaster'
  | 'AuthenticationFailures'
  | 'CommandAuthorizationFailures'
  | 'KeyAuthorizationFailures'
  | 'ChannelAuthorizationFailures'
  | `NetworkBandwidth${'In' | 'Out'}AllowanceExceeded`
  | 'NetworkPacketsPerSecondAllowanceExceeded';

interface Node {
  /** Number of its shard; undefined with cluster mode off. */
  readonly shard: number | undefined;
  /** Its number within the shard. */
  readonly number: number;
}

export interface CacheShape {
  /** Shards; 1 is cluster mode off. */
  readonly shards: number;
  /** Replicas of each primary. */
  readonly replicas: number;
}

/** ElastiCache's name of a shard. */
const shardName = (shard: number) => String(shard).padStart(4, '0');
const nodeNumber = ({ number }: Node) => String(number).padStart(3, '0');

/** Metrics that an alarm reads at most (Amazon CloudWatch User Guide, "CloudWatch quotas"). */
const metricsOfAlarm = 10;

/** Nodes of a replication group, primaries and replicas: all of them, those of a shard, or as many as an alarm can read. */
export class CacheNodes {
  private readonly replicationGroup: string;
  private readonly nodes: readonly Node[];

  private constructor(replicationGroup: string, nodes: readonly Node[]) {
    this.replicationGroup = replicationGroup;
    this.nodes = nodes;
  }

  /** All nodes of a replication group. Shards are named from 0001 on, as ElastiCache does when it creates them. */
  static of(replicationGroup: string, { shards, replicas }: CacheShape): CacheNodes {
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
    return new CacheNodes(
      replicationGroup,
      numbers(shards).flatMap((shard) =>
        numbers(1 + replicas).map((number) => ({ shard: shards === 1 ? undefined : shard, number })),
      ),
    );
  }

  /** The nodes of each shard. With cluster mode off there is one. */
  get byShard(): readonly CacheNodes[] {
    const shards = [...new Set(this.nodes.map(({ shard }) => shard))];
    return shards.map((shard) => this.with(this.nodes.filter((node) => node.shard === shard)));
  }

  /** The nodes of as many whole shards as one alarm can read. */
  get byAlarm(): readonly CacheNodes[] {
    const shards = this.byShard;
    const together = Math.max(1, Math.floor(metricsOfAlarm / (shards[0]?.nodes.length ?? 1)));
    const parts = Array.from({ length: Math.ceil(shards.length / together) }, (_, index) =>
      shards.slice(index * together, (index + 1) * together),
    );
    return parts.map((part) => this.with(part.flatMap(({ nodes }) => nodes)));
  }

  /** Names of the shards, such as `0003`. Empty with cluster mode off. */
  get shards(): readonly string[] {
    const shards = new Set(this.nodes.flatMap(({ shard }) => shard ?? []));
    return [...shards].map(shardName);
  }

  /** The highest share of memory in use on any node, in percent. */
  metricMemoryUsage(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.highest('DatabaseMemoryUsagePercentage', props);
  }

  /** The highest use of the thread that runs commands on any node, in percent. */
  metricEngineCpu(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.highest('EngineCPUUtilization', props);
  }

  /** The most connections that any node has. */
  metricConnections(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.highest('CurrConnections', props);
  }

  /** Seconds by which the slowest replica is behind. Undefined if there is none. */
  metricReplicationLag(props?: cloudwatch.MetricOptions): cloudwatch.IMetric | undefined {
    // A primary reports none.
    return this.nodes.some(({ number }) => number > 1)
      ? this.highestOfThoseThatReport('ReplicationLag', props)
      : undefined;
  }

  /** 1 while a node says that it is the primary, else 0. It is meant for the nodes of one shard. */
  metricHasPrimary(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.highestOfThoseThatReport('IsMaster', props);
  }

  /** Logins that any node refused. */
  metricAuthenticationFailures(props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.sum('AuthenticationFailures', props);
  }

  /** Packets that AWS held back or dropped because a node had used up what its type may send or receive. */
  metricThrottledPackets(direction: 'In' | 'Out', props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.sum(`NetworkBandwidth${direction}AllowanceExceeded`, props);
  }

  /** A metric of each node. @param name as in CloudWatch's namespace AWS/ElastiCache */
  metrics(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric[] {
    return this.nodes.map((node) => this.metric(name, node, { label: `${name} ${labelOf(node)}`, ...props }));
  }

  private with(nodes: readonly Node[]): CacheNodes {
    return new CacheNodes(this.replicationGroup, nodes);
  }

  private highest(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.joined(name, (nodes) => `MAX([${nodes}])`, { statistic: 'Maximum', ...props });
  }

  private highestOfThoseThatReport(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.joined(name, (nodes) => `MAX([${nodes.map(orZero)}])`, { statistic: 'Maximum', ...props });
  }

  private sum(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.joined(name, (nodes) => nodes.map(orZero).join(' + '), { statistic: 'Sum', ...props });
  }

  private joined(
    name: NodeMetric,
    expression: (nodes: string[]) => string,
    props: cloudwatch.MetricOptions,
  ): cloudwatch.IMetric {
    return new cloudwatch.MathExpression({
      expression: expression(this.nodes.map(variableOf)),
      label: name,
      period: props.period,
      usingMetrics: Object.fromEntries(
        this.nodes.map((node) => [variableOf(node), this.metric(name, node, props)]),
      ),
    });
  }

  private metric(name: NodeMetric, node: Node, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    const { shard } = node;
    const within = shard === undefined ? nodeNumber(node) : `${shardName(shard)}-${nodeNumber(node)}`;
    return new cloudwatch.Metric({
      namespace: 'AWS/ElastiCache',
      metricName: name,
      // ElastiCache numbers the nodes, replicas included: `group-001`, and in cluster mode `group-0001-001`.
      dimensionsMap: { CacheClusterId: `${this.replicationGroup}-${within}` },
      ...props,
    });
  }
}

const labelOf = (node: Node) =>
  node.shard === undefined ? String(node.number) : `${shardName(node.shard)}-${nodeNumber(node)}`;

/** Its name in an expression. */
const variableOf = ({ shard, number }: Node) => `${shard === undefined ? '' : `shard${shard}`}node${number}`;

const orZero = (id: string) => `FILL(${id}, 0)`;
