import type { Logger } from 'pino';
import { metricDimensions, metricService, type ServiceMetric } from '../../metric-names.ts';
import type { Metrics } from './metrics.ts';

/** CloudWatch's embedded metric format: a log line that CloudWatch Logs takes metrics from. */

/** CloudWatch's units that are used here. */
type EmfUnit = 'Count' | 'Seconds' | 'Milliseconds' | 'Bytes' | 'None';

interface EmfMetric {
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

export interface EmfReporterOptions {
  readonly metrics: Metrics;
  /** CloudWatch namespace. */
  readonly namespace: string;
  readonly deployment: string;
  readonly log: Logger;
}

const minuteMs = 60_000;

/** Totals since the start, of which a line tells what was added since the one before. */
type Total = readonly [unit: EmfUnit, total: number];
type Totals = Readonly<Record<string, Total>>;

/**
 * Writes one line a minute, which CloudWatch turns into metrics of the deployment: sums over its instances, since
 * dimensions that name a task would be paid for each anew.
 */
export class EmfReporter {
  readonly #options: EmfReporterOptions;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #before: Totals;

  constructor(options: EmfReporterOptions) {
    this.#options = options;
    // Whoever names a namespace wants the lines, whatever else the log is to leave out.
    this.#log = options.log.child({}, { level: 'info' });
    this.#before = totalsOf(options.metrics);
    this.#schedule();
  }

  /**
   * Writes a line now, with what was added since the last.
   * @param event out of turn it has no gauges: scaling goes by their average, to which each instance is to add one
   */
  report(event: 'minute' | 'drain started' | 'drain ended'): void {
    const { metrics, namespace, deployment } = this.#options;
    const totals = totalsOf(metrics);
    const added = Object.entries(totals).map(
      ([name, [unit, total]]): EmfMetric => ({ name, unit, value: total - (this.#before[name]?.[1] ?? 0) }),
    );
    this.#before = totals;
    const dimensions = {
      [metricDimensions.deployment]: deployment,
      [metricDimensions.service]: metricService,
    };
    const gauges = event === 'minute' ? gaugesOf(metrics) : [];
    const document = emfDocument(namespace, dimensions, [...gauges, ...added]);
    this.#log.info({ event, connections: metrics.connections.count, ...document }, 'metrics');
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.report('minute');
      this.#schedule();
    }, untilMiddleOfMinute(Date.now())).unref();
  }
}

/** Lines stand in the middle of minutes: timers drift, and a minute with two lines of one instance counts it twice. */
export function untilMiddleOfMinute(now: number): number {
  const wait = minuteMs - ((now + minuteMs / 2) % minuteMs);
  // A timer may fire a millisecond early: the middle that it was for is over.
  return wait < 1_000 ? wait + minuteMs : wait;
}

interface ServiceEmfMetric extends EmfMetric {
  readonly name: ServiceMetric;
}

/** What holds at the moment, and what took how long since the minute before. */
function gaugesOf({ connections, rooms, backplane, eventLoop }: Metrics): ServiceEmfMetric[] {
  return [
    { name: 'Connections', unit: 'Count', value: connections.count },
    { name: 'Rooms', unit: 'Count', value: rooms.rooms },
    { name: 'Members', unit: 'Count', value: rooms.members },
    { name: 'ResidentMemory', unit: 'Bytes', value: process.memoryUsage.rss() },
    ...timesOf('EventLoopLagP99', eventLoop.takeP99s()),
    ...timesOf('RedisRoundTrip', backplane.takeRoundTrips()),
    ...timesOf('PublishToDelivery', rooms.takeDelays()),
  ];
}

/** A metric must have a value. */
const timesOf = (name: ServiceMetric, value: readonly number[]): ServiceEmfMetric[] =>
  value.length === 0 ? [] : [{ name, unit: 'Milliseconds', value }];

function totalsOf({ connections, rooms, backplane, instanceEnds }: Metrics): Totals {
  return {
    Connects: ['Count', connections.opened],
    Disconnects: ['Count', connections.closed],
    UpgradeFailures: ['Count', connections.upgradeFailures],
    SessionsCut: ['Count', instanceEnds.sessions],
    Joins: ['Count', rooms.total('joins')],
    Replays: ['Count', rooms.total('replays')],
    Publishes: ['Count', rooms.published('acknowledged')],
    PublishesFailed: ['Count', rooms.published('refused', 'uncertain', 'internal')],
    Deliveries: ['Count', rooms.total('deliveries')],
    Gaps: ['Count', rooms.total('gaps')],
    LossesReported: ['Count', rooms.total('lossesReported')],
    SlowConsumers: ['Count', rooms.total('slowConsumers')],
    DegradedSeconds: ['Seconds', backplane.degradedSeconds],
    RedisErrors: ['Count', backplane.faults],
  } satisfies Partial<Record<ServiceMetric, Total>>;
}
