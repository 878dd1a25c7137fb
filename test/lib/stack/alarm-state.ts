import type { Json } from '../aws/synthesis.ts';
import { evaluate, type Series } from './metric-math.ts';

/** What was recorded in a minute: samples of all tasks or nodes, one, or nothing. */
export type Minute = readonly number[] | number | undefined;

/** Minutes of each metric, oldest first, by its name, or by `name/id` where an expression reads it more than once. */
export type Recorded = Readonly<Record<string, readonly Minute[]>>;

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

/** The minutes that are recorded of each metric. */
export const minutes = 30;

/** The state that CloudWatch gives an alarm of a template (Amazon CloudWatch User Guide, "Alarm evaluation"). */
export function stateOf(alarm: Json, recorded: Recorded): AlarmState {
  assertRead(alarm, recorded);
  const { Threshold, ComparisonOperator, DatapointsToAlarm, EvaluationPeriods, TreatMissingData } = alarm;
  const points = seriesOf(alarm, recorded).slice(-EvaluationPeriods);
  if (points.length < EvaluationPeriods) throw new Error('the alarm looks back for longer than is recorded');
  if (TreatMissingData === 'missing' && points.every((point) => point === undefined))
    return 'INSUFFICIENT_DATA';
  const isBeyond = (point: number) =>
    ComparisonOperator === 'GreaterThanThreshold' ? point > Threshold : point < Threshold;
  const beyond = points.filter((point) =>
    point === undefined ? TreatMissingData === 'breaching' : isBeyond(point),
  );
  return beyond.length >= DatapointsToAlarm ? 'ALARM' : 'OK';
}

/** @throws Error for data that the alarm does not read: whatever it is, the alarm would stay quiet */
function assertRead({ MetricName, Metrics = [] }: Json, recorded: Recorded): void {
  const read = Metrics.flatMap(({ Id, MetricStat }: Json) =>
    MetricStat ? [MetricStat.Metric.MetricName, `${MetricStat.Metric.MetricName}/${Id}`] : [],
  );
  const unread = Object.keys(recorded).filter((name) => name !== MetricName && !read.includes(name));
  if (unread.length > 0) throw new Error(`the alarm does not read ${unread.join(', ')}`);
}

function seriesOf({ Metrics, MetricName, Period, Statistic, ExtendedStatistic }: Json, recorded: Recorded) {
  if (!Metrics) return aggregate(recorded[MetricName], Period, Statistic ?? ExtendedStatistic);
  const byId = new Map<string, Series>();
  for (const { Id, MetricStat } of Metrics) {
    if (!MetricStat) continue;
    const { MetricName: name } = MetricStat.Metric;
    byId.set(Id, aggregate(recorded[`${name}/${Id}`] ?? recorded[name], MetricStat.Period, MetricStat.Stat));
  }
  const { Expression } = Metrics.find(({ ReturnData = true }: Json) => ReturnData);
  const [periods = 0] = [...byId.values()].map(({ length }) => length);
  return evaluate(Expression, periods, (id) => {
    const series = byId.get(id);
    if (!series) throw new Error(`"${Expression}" reads ${id}, which is no metric of the alarm`);
    return series;
  });
}

function aggregate(recorded: readonly Minute[] | undefined, period: number, statistic: string): Series {
  const all = recorded ?? Array<Minute>(minutes).fill(undefined);
  if (all.length !== minutes) throw new Error(`recorded must be ${minutes} minutes, got: ${all.length}`);
  const each = period / 60;
  return Array.from({ length: minutes / each }, (_, index) => {
    const samples = all.slice(index * each, (index + 1) * each).flatMap((minute) => minute ?? []);
    return samples.length > 0 ? statisticOf(samples, statistic) : undefined;
  });
}

function statisticOf(samples: number[], statistic: string): number {
  const sum = samples.reduce((total, sample) => total + sample, 0);
  const percentile = /^p(\d+)$/.exec(statistic)?.[1];
  if (percentile) {
    const sorted = [...samples].sort((one, other) => one - other);
    return sorted[Math.max(0, Math.ceil((sorted.length * Number(percentile)) / 100) - 1)] as number;
  }
  const known: Record<string, number> = {
    Sum: sum,
    Average: sum / samples.length,
    Maximum: Math.max(...samples),
    Minimum: Math.min(...samples),
  };
  const value = known[statistic];
  if (value === undefined) throw new Error(`unknown statistic ${statistic}`);
  return value;
}
