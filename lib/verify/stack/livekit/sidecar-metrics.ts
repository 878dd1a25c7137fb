import type { MetricDataQuery, MetricDataResult } from '@aws-sdk/client-cloudwatch';
import { metricDimensions, metricNamespace } from '../../../../app/metric-names.ts';
import type { SidecarMetric, WatchedService } from '../../../../livekit/sidecar/names.ts';
import { type AwsClients, explainRejection } from '../aws-clients.ts';
import type { DeployedStack } from '../deployed-stack.ts';

export const minuteMs = 60_000;

/** The values that all sidecars of a service wrote within one minute. */
export interface Minute {
  readonly at: Date;
  readonly least: number;
  readonly most: number;
  readonly sum: number;
  /** How many samples there are. Each sidecar writes one a minute. */
  readonly samples: number;
}

const statistics = { least: 'Minimum', most: 'Maximum', sum: 'Sum', samples: 'SampleCount' } as const;

export interface Asked {
  readonly metric: SidecarMetric;
  readonly watched: WatchedService;
  /** How far to look back. */
  readonly minutes: number;
}

/**
 * The minutes with samples, the newest first, without the current one.
 *
 * @throws CheckFailure if CloudWatch can't be asked
 */
export async function readMinutes(
  { metric, watched, minutes }: Asked,
  stack: DeployedStack,
  { cloudWatch }: AwsClients,
): Promise<readonly Minute[]> {
  const { GetMetricDataCommand } = await import('@aws-sdk/client-cloudwatch');
  const end = Math.floor(Date.now() / minuteMs) * minuteMs;
  const { MetricDataResults = [] } = await cloudWatch
    .send(
      new GetMetricDataCommand({
        StartTime: new Date(end - minutes * minuteMs),
        EndTime: new Date(end),
        ScanBy: 'TimestampDescending',
        MetricDataQueries: queriesOf(metric, watched, stack.name),
      }),
    )
    .catch((error: unknown) => {
      throw explainRejection(error, `the metric ${metric} of ${watched}`);
    });
  const valuesOf = (id: keyof typeof statistics) => valuesByMinute(id, MetricDataResults);
  const [least, most, sum, samples] = [
    valuesOf('least'),
    valuesOf('most'),
    valuesOf('sum'),
    valuesOf('samples'),
  ];
  return [...samples.keys()].map((at) => ({
    at: new Date(at),
    least: least.get(at) ?? 0,
    most: most.get(at) ?? 0,
    sum: sum.get(at) ?? 0,
    samples: samples.get(at) ?? 0,
  }));
}

function queriesOf(metric: SidecarMetric, watched: WatchedService, deployment: string): MetricDataQuery[] {
  const Metric = {
    Namespace: metricNamespace,
    MetricName: metric,
    Dimensions: [
      { Name: metricDimensions.deployment, Value: deployment },
      { Name: metricDimensions.service, Value: watched },
    ],
  };
  return Object.entries(statistics).map(([Id, Stat]) => ({
    Id,
    MetricStat: { Metric, Period: minuteMs / 1_000, Stat },
  }));
}

/** The values by their minute, in milliseconds since 1970. */
function valuesByMinute(id: string, results: readonly MetricDataResult[]): ReadonlyMap<number, number> {
  const { Timestamps = [], Values = [] } = results.find(({ Id }) => Id === id) ?? {};
  return new Map(Timestamps.map((at, index) => [at.getTime(), Values[index] ?? 0]));
}
