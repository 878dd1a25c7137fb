import { Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { oneMinute } from './alarm.ts';

/** One question, and the graphs that answer it. */
export interface DashboardRow {
  readonly title: string;

  /** What each graph tells, in Markdown. */
  readonly text: string;

  /** Headings of articles of RUNBOOK.md. */
  readonly articles: readonly string[];

  readonly graphs: readonly Graph[];
}

export interface Graph {
  readonly title: string;
  readonly left: readonly cloudwatch.IMetric[];
  /** @default - one axis */
  readonly right?: readonly cloudwatch.IMetric[];
  /** Of the left axis. */
  readonly unit: string;
  /** @default - one axis */
  readonly rightUnit?: string;
}

export interface DashboardProps {
  /** Alarms whose states stand at the top. */
  readonly alarms: readonly cloudwatch.IAlarm[];

  /** From top to bottom. */
  readonly rows: readonly DashboardRow[];
}

/** Over all tasks, in a minute. */
export const sum = { statistic: 'Sum', period: oneMinute };
export const average = { statistic: 'Average', period: oneMinute };

/** The grid has 24 columns. */
const wholeWidth = 24;
const graphsInALine = 4;

/** One page that a person reads from top to bottom: is anything wrong, whom does it hit, where does it come from. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    const { stackName, region } = Stack.of(this);
    new cloudwatch.Dashboard(this, 'Dashboard', {
      // Dashboards are the account's, so that stacks in two regions must differ too.
      dashboardName: `${stackName}-${region}`,
      defaultInterval: Duration.hours(3),
      // Sums are of a minute: with a longer period, which CloudWatch would choose by itself, they would be of more.
      periodOverride: cloudwatch.PeriodOverride.INHERIT,
      widgets: [
        [
          heading(
            stackName,
            'Read from top to bottom. An alarm that is red names its article of RUNBOOK.md in its description; one that is grey has no data yet. The rows below say what each graph tells, and which articles help.',
          ),
        ],
        [alarmStates(props.alarms)],
        ...props.rows.flatMap(linesOf),
      ],
    });
  }
}

function alarmStates(alarms: readonly cloudwatch.IAlarm[]): cloudwatch.IWidget {
  return new cloudwatch.AlarmStatusWidget({
    title: 'Alarms',
    alarms: [...alarms],
    sortBy: cloudwatch.AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
    width: wholeWidth,
    height: 4,
  });
}

/** A heading, and lines of graphs. */
function linesOf({ title, text, articles, graphs }: DashboardRow): cloudwatch.IWidget[][] {
  const named =
    articles.length > 0 ? ` **RUNBOOK.md:** ${articles.map((name) => `*${name}*`).join(', ')}.` : '';
  const lines: cloudwatch.IWidget[][] = [[heading(title, `${text}${named}`)]];
  for (let first = 0; first < graphs.length; first += graphsInALine)
    lines.push(
      graphs.slice(first, first + graphsInALine).map(
        (graph) =>
          new cloudwatch.GraphWidget({
            title: graph.title,
            left: [...graph.left],
            right: [...(graph.right ?? [])],
            leftYAxis: { label: graph.unit, showUnits: false, min: 0 },
            rightYAxis: { label: graph.rightUnit, showUnits: false, min: 0 },
            width: wholeWidth / graphsInALine,
            height: 6,
          }),
      ),
    );
  return lines;
}

function heading(title: string, text: string): cloudwatch.IWidget {
  return new cloudwatch.TextWidget({ markdown: `## ${title}\n${text}`, width: wholeWidth, height: 3 });
}

export function percentiles(
  statistics: readonly string[],
  metric: (options: cloudwatch.MetricOptions) => cloudwatch.Metric,
): cloudwatch.Metric[] {
  return statistics.map((statistic) => metric({ statistic, period: oneMinute, label: statistic }));
}
