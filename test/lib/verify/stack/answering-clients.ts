import {
  type GetMetricDataInput,
  type GetMetricDataOutput,
  type Metric,
  type MetricDataQuery,
  ScanBy,
  StatusCode,
} from '@aws-sdk/client-cloudwatch';
import type {
  DescribeServicesRequest,
  DescribeServicesResponse,
  DescribeTasksRequest,
  DescribeTasksResponse,
  ListTasksRequest,
  ListTasksResponse,
} from '@aws-sdk/client-ecs';
import type { AwsClients } from '../../../../lib/verify/stack/aws-clients.ts';
import type { Answers } from './recorded.ts';
import type { EmfLine } from './sidecar-line.ts';

/** Clients that give these answers, of which some depend on what is asked; one that is an Error is thrown. */
export function clientsOf(answers: Answers): AwsClients {
  const send = async (command: { readonly input: never }) => {
    const { name } = command.constructor;
    const answer = answers[name];
    if (answer instanceof Error) throw answer;
    const select = selections[name];
    if (answer === undefined && !select) throw new Error(`nothing recorded for ${name}`);
    return select ? select(command.input, answers) : answer;
  };
  const client = { send } as never;
  return { cloudFormation: client, cloudWatch: client, elastiCache: client, ssm: client, ecs: client };
}

const selections: Record<string, (input: never, answers: Answers) => object> = {
  ListTasksCommand: listTasks,
  DescribeTasksCommand: describeTasks,
  DescribeServicesCommand: describeServices,
  GetMetricDataCommand: getMetricData,
};

function listTasks(
  { serviceName, desiredStatus = 'RUNNING' }: ListTasksRequest,
  { DescribeTasksCommand: { tasks } }: Answers,
): ListTasksResponse {
  const listed = (tasks as NonNullable<DescribeTasksResponse['tasks']>).filter(
    (task) =>
      task.desiredStatus === desiredStatus &&
      (serviceName === undefined || task.group === `service:${serviceName}`),
  );
  return { taskArns: listed.map(({ taskArn = '' }) => taskArn) };
}

function describeTasks({ tasks: asked = [] }: DescribeTasksRequest, answers: Answers): DescribeTasksResponse {
  const { tasks = [], failures = [] } = answers.DescribeTasksCommand as DescribeTasksResponse;
  return { tasks: tasks.filter(({ taskArn = '' }) => asked.includes(taskArn)), failures };
}

function describeServices(
  { services: asked = [] }: DescribeServicesRequest,
  answers: Answers,
): DescribeServicesResponse {
  const { services = [] } = answers.DescribeServicesCommand as DescribeServicesResponse;
  const found = services.filter(({ serviceArn = '' }) => asked.includes(serviceArn));
  const missing = asked.filter((arn) => !found.some(({ serviceArn }) => serviceArn === arn));
  return { services: found, failures: missing.map((arn) => ({ arn, reason: 'MISSING' })) };
}

function getMetricData(
  { StartTime, EndTime, ScanBy: order, MetricDataQueries = [] }: GetMetricDataInput,
  { GetMetricDataCommand: { lines } }: Answers,
): GetMetricDataOutput {
  const within = (lines as EmfLine[]).filter(
    ({ _aws: { Timestamp: at } }) => at >= Number(StartTime) && at < Number(EndTime),
  );
  return {
    MetricDataResults: MetricDataQueries.map((query) => {
      const periods = [...byPeriod(within, query)].sort(([one], [other]) => one - other);
      if (order === ScanBy.TIMESTAMP_DESCENDING) periods.reverse();
      return {
        Id: query.Id,
        Label: query.MetricStat?.Metric?.MetricName,
        Timestamps: periods.map(([at]) => new Date(at)),
        Values: periods.map(([, values]) => statisticOf(query.MetricStat?.Stat, values)),
        StatusCode: StatusCode.COMPLETE,
      };
    }),
    Messages: [],
  };
}

/** The values of a metric, by the beginning of their period. */
function byPeriod(lines: readonly EmfLine[], { MetricStat }: MetricDataQuery): Map<number, number[]> {
  const { Metric: metric = {}, Period = 0 } = MetricStat ?? {};
  const periods = new Map<number, number[]>();
  for (const line of lines.filter((each) => isOf(each, metric))) {
    const at = line._aws.Timestamp - (line._aws.Timestamp % (Period * 1_000));
    periods.set(at, [...(periods.get(at) ?? []), line[metric.MetricName as string] as number]);
  }
  return periods;
}

/** CloudWatch knows a metric by its namespace, its name and exactly these dimensions. */
function isOf(line: EmfLine, { Namespace, MetricName, Dimensions = [] }: Metric): boolean {
  return line._aws.CloudWatchMetrics.some(
    (written) =>
      written.Namespace === Namespace &&
      written.Metrics.some(({ Name }) => Name === MetricName) &&
      written.Dimensions.some(
        (names) =>
          names.length === Dimensions.length &&
          Dimensions.every(({ Name = '', Value }) => names.includes(Name) && line[Name] === Value),
      ),
  );
}

function statisticOf(statistic: string | undefined, values: readonly number[]): number {
  switch (statistic) {
    case 'Minimum':
      return Math.min(...values);
    case 'Maximum':
      return Math.max(...values);
    case 'Sum':
      return values.reduce((sum, value) => sum + value, 0);
    case 'SampleCount':
      return values.length;
    default:
      throw new Error(`no such statistic here: ${statistic}`);
  }
}
