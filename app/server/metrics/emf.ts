/** CloudWatch's embedded metric format: a log line that CloudWatch Logs takes metrics from. */

/** CloudWatch's units that are used here. */
export type EmfUnit = 'Count' | 'Seconds' | 'Milliseconds' | 'Bytes' | 'None';

export interface EmfMetric {
  readonly name: string;
  readonly unit: EmfUnit;
  /** Several are each a sample of their own. */
  readonly value: number | readonly number[];
}

export interface EmfDocument {
  readonly _aws: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: EmfUnit }[];
    }[];
  };
  readonly [member: string]: unknown;
}

/** The specification allows so many metrics in a directive, and so many samples of one. */
const mostMetrics = 100;
const mostSamples = 100;

/**
 * The members of a line: `_aws` says which of the others are metrics, and which are their dimensions.
 *
 * @throws Error when it would not fit the specification, which CloudWatch would drop in silence
 */
export function emfDocument(
  namespace: string,
  dimensions: Readonly<Record<string, string>>,
  metrics: readonly EmfMetric[],
  now = Date.now(),
): EmfDocument {
  if (metrics.length > mostMetrics) {
    throw new Error(`a line takes at most ${mostMetrics} metrics, got: ${metrics.length}`);
  }
  const long = metrics.find(({ value }) => Array.isArray(value) && value.length > mostSamples);
  if (long) throw new Error(`a metric takes at most ${mostSamples} samples, ${long.name} has more`);
  return {
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: namespace,
          Dimensions: [Object.keys(dimensions)],
          Metrics: metrics.map(({ name, unit }) => ({ Name: name, Unit: unit })),
        },
      ],
    },
    ...dimensions,
    ...Object.fromEntries(metrics.map(({ name, value }) => [name, value])),
  };
}
