import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';

export interface AlarmProps {
  readonly topic: sns.ITopic;

  /** Heading in RUNBOOK.md that says what to do. */
  readonly runbook: string;

  /** What is wrong when it fires, in a sentence. */
  readonly meaning: string;

  readonly metric: cloudwatch.IMetric;

  /**
   * Over which it fires.
   * @default - `below`
   */
  readonly above?: number;

  /**
   * Under which it fires.
   * @default - `above`
   */
  readonly below?: number;

  /** Fires when so many of the last so many minutes, or periods of the metric, are beyond it. */
  readonly points: readonly [needed: number, of: number];

  /** What no data means. */
  readonly noData: 'fine' | 'alarm' | 'unknown';

  /** Why it means that. */
  readonly because: string;
}

const treatments = {
  fine: cloudwatch.TreatMissingData.NOT_BREACHING,
  alarm: cloudwatch.TreatMissingData.BREACHING,
  unknown: cloudwatch.TreatMissingData.MISSING,
} as const;

/** A CloudWatch alarm whose description is what the one who is woken needs to know. */
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
  created.addAlarmAction(new SnsAction(props.topic));
  created.addOkAction(new SnsAction(props.topic));
  return created;
}

export const oneMinute = Duration.minutes(1);
