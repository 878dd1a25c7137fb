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
import type {
  DescribeReplicationGroupsMessage,
  ReplicationGroup,
  ReplicationGroupMessage,
} from '@aws-sdk/client-elasticache';
import type { GetParameterRequest, GetParameterResult, Parameter } from '@aws-sdk/client-ssm';
import { type AwsClients, openClients } from '../../../../lib/verify/stack/aws-clients.ts';
import { AwsError, askAwsAt, startAws } from '../../../support/servers/aws.ts';
import type { Answers } from './recorded.ts';
import type { EmfLine } from './sidecar-line.ts';

export interface Account {
  readonly clients: AwsClients;
  /** The requests that came, each with its action as IAM names it. */
  readonly requests: readonly { readonly action: string; readonly body: string }[];
  stop(): Promise<void>;
}

/** An account that gives these answers over HTTP, of which some depend on what is asked, and the SDK's own clients. */
export async function openAccount(answers: Answers): Promise<Account> {
  const requests: { action: string; body: string }[] = [];
  const answering = Object.keys({ ...answers, ...selections }).map((action) => [
    action,
    (_: string, body: string) => {
      requests.push({ action, body });
      const answer = answers[action];
      if (answer instanceof AwsError) return answer;
      return selections[action]?.(readBody(body) as never, answers) ?? answer;
    },
  ]);
  const aws = await startAws(() => Object.fromEntries(answering));
  const askNoMore = askAwsAt(aws.url);
  const clients = await openClients('us-east-1');
  return {
    clients,
    requests,
    stop: async () => {
      askNoMore();
      await aws.stop();
    },
  };
}

/** JSON, or the query of ElastiCache's protocol. */
const readBody = (body: string): unknown =>
  body.startsWith('{') ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));

/** As an object that JSON is written of. */
type Written<T> = { [K in keyof T]: T[K] };

const selections: Readonly<Record<string, (input: never, answers: Answers) => Record<string, unknown>>> = {
  'elasticache:DescribeReplicationGroups': describeReplicationGroups,
  'ssm:GetParameter': getParameter,
  'ecs:ListTasks': listTasks,
  'ecs:DescribeTasks': describeTasks,
  'ecs:DescribeServices': describeServices,
  'cloudwatch:GetMetricData': getMetricData,
};

function describeReplicationGroups(
  { ReplicationGroupId: asked }: DescribeReplicationGroupsMessage,
  { 'elasticache:DescribeReplicationGroups': { ReplicationGroups } }: Answers,
): Written<ReplicationGroupMessage> {
  return {
    ReplicationGroups: (ReplicationGroups as ReplicationGroup[]).filter(
      ({ ReplicationGroupId }) => ReplicationGroupId === asked,
    ),
  };
}

function getParameter(
  { Name: asked }: GetParameterRequest,
  { 'ssm:GetParameter': { Parameters } }: Answers,
): Written<GetParameterResult> {
  const found = (Parameters as Parameter[]).find(({ Name }) => Name === asked);
  return found ? { Parameter: found } : {};
}

function listTasks(
  { serviceName, desiredStatus = 'RUNNING' }: ListTasksRequest,
  { 'ecs:DescribeTasks': { tasks } }: Answers,
): Written<ListTasksResponse> {
  const listed = (tasks as NonNullable<DescribeTasksResponse['tasks']>).filter(
    (task) =>
      task.desiredStatus === desiredStatus &&
      (serviceName === undefined || task.group === `service:${serviceName}`),
  );
  return { taskArns: listed.map(({ taskArn = '' }) => taskArn) };
}

function describeTasks(
  { tasks: asked = [] }: DescribeTasksRequest,
  answers: Answers,
): Written<DescribeTasksResponse> {
  const { tasks = [], failures = [] } = answers['ecs:DescribeTasks'] as DescribeTasksResponse;
  return { tasks: tasks.filter(({ taskArn = '' }) => asked.includes(taskArn)), failures };
}

function describeServices(
  { services: asked = [] }: DescribeServicesRequest,
  answers: Answers,
): Written<DescribeServicesResponse> {
  const { services = [] } = answers['ecs:DescribeServices'] as DescribeServicesResponse;
  const found = services.filter(({ serviceArn = '' }) => asked.includes(serviceArn));
  const missing = asked.filter((arn) => !found.some(({ serviceArn }) => serviceArn === arn));
  return { services: found, failures: missing.map((arn) => ({ arn, reason: 'MISSING' })) };
}

function getMetricData(
  { StartTime, EndTime, ScanBy: order, MetricDataQueries = [] }: GetMetricDataInput,
  { 'cloudwatch:GetMetricData': { lines } }: Answers,
): Written<GetMetricDataOutput> {
  const within = (lines as EmfLine[]).filter(
    ({ _aws: { Timestamp: at } }) => at >= Number(StartTime) * 1_000 && at < Number(EndTime) * 1_000,
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
