import type { Logger } from 'pino';
import { metricDimensions, metricService, type ServiceMetric } from '../../metric-names.ts';
import { type EmfMetric, type EmfUnit, emfDocument } from './emf.ts';
import type { Metrics } from './metrics.ts';

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

function totalsOf({ connections, rooms, backplane }: Metrics): Totals {
  return {
    Connects: ['Count', connections.opened],
    Disconnects: ['Count', connections.closed],
    UpgradeFailures: ['Count', connections.upgradeFailures],
    Joins: ['Count', rooms.total('joins')],
    Replays: ['Count', rooms.total('replays')],
    Publishes: ['Count', rooms.published('acknowledged')],
    PublishesFailed: ['Count', rooms.published('refused', 'uncertain', 'internal')],
    Deliveries: ['Count', rooms.total('deliveries')],
    Gaps: ['Count', rooms.total('gaps')],
    LossesTold: ['Count', rooms.total('lossesReported')],
    SlowConsumers: ['Count', rooms.total('slowConsumers')],
    DegradedSeconds: ['Seconds', backplane.degradedSeconds],
    RedisErrors: ['Count', backplane.faults],
  } satisfies Partial<Record<ServiceMetric, Total>>;
}
