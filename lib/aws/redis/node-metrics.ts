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
  | 'AuthenticationFailures'
  | 'CommandAuthorizationFailures'
  | 'KeyAuthorizationFailures'
  | 'ChannelAuthorizationFailures'
  | `NetworkBandwidth${'In' | 'Out'}AllowanceExceeded`
  | 'NetworkPacketsPerSecondAllowanceExceeded';

/** The metrics of a replication group's nodes, the primary and its replicas. */
export class NodeMetrics {
  private readonly replicationGroup: string;
  private readonly nodes: readonly number[];

  /** @param nodeCount the primary and its replicas */
  constructor(replicationGroup: string, nodeCount: number) {
    this.replicationGroup = replicationGroup;
    this.nodes = Array.from({ length: nodeCount }, (_, index) => index + 1);
  }

  each(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric[] {
    return this.nodes.map((node) => this.metric(name, node, { label: `${name} ${node}`, ...props }));
  }

  highest(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.joined(name, (nodes) => `MAX([${nodes}])`, { statistic: 'Maximum', ...props });
  }

  /** Of a metric that the primary does not report. */
  highestOfReplicas(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.joined(name, (nodes) => `MAX([${nodes.map(orZero)}])`, { statistic: 'Maximum', ...props });
  }

  sum(name: NodeMetric, props?: cloudwatch.MetricOptions): cloudwatch.IMetric {
    return this.joined(name, (nodes) => nodes.map(orZero).join(' + '), { statistic: 'Sum', ...props });
  }

  /** An alarm reads ten metrics at most, and there are six nodes at most: an expression is of one metric. */
  private joined(
    name: NodeMetric,
    expression: (nodes: string[]) => string,
    props: cloudwatch.MetricOptions,
  ): cloudwatch.IMetric {
    return new cloudwatch.MathExpression({
      expression: expression(this.nodes.map((node) => `node${node}`)),
      label: name,
      period: props.period,
      usingMetrics: Object.fromEntries(
        this.nodes.map((node) => [`node${node}`, this.metric(name, node, props)]),
      ),
    });
  }

  private metric(name: NodeMetric, node: number, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/ElastiCache',
      metricName: name,
      // ElastiCache numbers the nodes of a replication group with cluster mode disabled, replicas included.
      dimensionsMap: { CacheClusterId: `${this.replicationGroup}-${String(node).padStart(3, '0')}` },
      ...props,
    });
  }
}

const orZero = (id: string) => `FILL(${id}, 0)`;
