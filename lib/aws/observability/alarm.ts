import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct, IDependable } from 'constructs';

/** Creates an alarm. @param id of its construct */
export type AddAlarm = (id: string, props: Omit<AlarmProps, 'topic'>) => cloudwatch.Alarm;

export const oneMinute = Duration.minutes(1);
export const fiveMinutes = Duration.minutes(5);
/** Of five minutes. */
export const total = { statistic: 'Sum', period: fiveMinutes };
/** Of a minute. */
export const highest = { statistic: 'Maximum', period: oneMinute };
/** Of a minute. */
export const lowest = { statistic: 'Minimum', period: oneMinute };

export interface AlarmProps {
  readonly topic: sns.ITopic;

  /**
   * What must exist before the alarm: what it watches. Before its tasks run, it would wake somebody at each first
   * deployment. `nothing` is for the alarms that a service is rolled back by, which have to be there before it.
   */
  readonly after: IDependable | 'nothing';

  /** Heading of the article in RUNBOOK.md that says what to do. */
  readonly runbook: string;

  /** What is wrong when the alarm fires, in a sentence. */
  readonly meaning: string;

  readonly metric: cloudwatch.IMetric;

  /**
   * The alarm fires above this value.
   * @default - `below` applies
   */
  readonly above?: number;

  /**
   * The alarm fires below this value.
   * @default - `above` applies
   */
  readonly below?: number;

  /** The alarm fires when `needed` of the last `of` periods of the metric are beyond the threshold. */
  readonly points: readonly [needed: number, of: number];

  /** How a period without data counts: as fine, as an alarm, or not at all. */
  readonly noData: 'fine' | 'alarm' | 'unknown';

  /** The reason for `noData`. */
  readonly because: string;
}

const treatments = {
  fine: cloudwatch.TreatMissingData.NOT_BREACHING,
  alarm: cloudwatch.TreatMissingData.BREACHING,
  unknown: cloudwatch.TreatMissingData.MISSING,
} as const;

/** A CloudWatch alarm. Its description has all that the person needs whom it wakes. */
export function alarm(scope: Construct, id: string, props: AlarmProps): cloudwatch.Alarm {
  const [datapointsToAlarm, evaluationPeriods] = props.points;
  const created = new cloudwatch.Alarm(scope, id, {
    alarmDescription: `${props.meaning} RUNBOOK.md: "${props.runbook}". No data: ${props.noData}, ${props.because}.`,
    metric: props.metric,
    threshold: (props.above ?? props.below) as number,
    comparisonOperator:
      props.above === undefined
        ? cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        : cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    datapointsToAlarm,
    evaluationPeriods,
    treatMissingData: treatments[props.noData],
  });
  const action = new SnsAction(props.topic);
  created.addAlarmAction(action);
  created.addOkAction(action);
  if (props.after !== 'nothing') created.node.addDependency(props.after);
  return created;
}
