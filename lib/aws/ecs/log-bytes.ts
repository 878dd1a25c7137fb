import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';

/** Bytes of a log, which CloudWatch charges for. The CDK's own metric has no dimension: it counts the whole account's. */
export function logBytes(logGroup: LogGroup, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
  return logGroup.metricIncomingBytes({
    ...props,
    dimensionsMap: { LogGroupName: logGroup.logGroupName },
  });
}
