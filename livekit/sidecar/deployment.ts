import { DescribeServicesCommand, DescribeTasksCommand, ECSClient } from '@aws-sdk/client-ecs';

/** Where this task stands in its service. */
export interface Standing {
  /** When the deployment began that takes its place, in milliseconds since 1970. Undefined: it is current. */
  readonly supersededAt: number | undefined;
  /** All tasks of the current deployment run. */
  readonly isReplaced: boolean;
  /** Tasks of the service that run, of all deployments. */
  readonly runningTasks: number;
}

export interface StandingReader {
  /** @throws when ECS can't be asked, or the task is of no service */
  read(): Promise<Standing>;
  close(): void;
}

const answerMs = 3_000;

/** Asks ECS, with the task's role: `ecs:DescribeTasks` and `ecs:DescribeServices`. */
export function openStandingReader(metadataUri: string): StandingReader {
  // A failed question is asked again at the next look.
  const client = new ECSClient({ maxAttempts: 1 });
  let own: Promise<OwnTask> | undefined;
  const ownTask = () => {
    own ??= readOwnTask(client, metadataUri);
    own.catch(() => {
      own = undefined;
    });
    return own;
  };
  return {
    read: async () => standingIn(await ownTask(), client),
    close: () => client.destroy(),
  };
}

interface OwnTask {
  readonly cluster: string;
  readonly service: string;
  /** The id of the deployment that started it, `ecs-svc/…`. */
  readonly startedBy: string;
}

async function readOwnTask(client: ECSClient, metadataUri: string): Promise<OwnTask> {
  const response = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(answerMs) });
  if (!response.ok) throw new Error(`the task metadata endpoint answered ${response.status}`);
  const { TaskARN: arn, Cluster: cluster } = (await response.json()) as { TaskARN: string; Cluster: string };
  const { tasks } = await client.send(new DescribeTasksCommand({ cluster, tasks: [arn] }), timeout());
  const { group, startedBy } = tasks?.[0] ?? {};
  if (!group?.startsWith('service:') || !startedBy) throw new Error(`${arn} is of no service`);
  return { cluster, service: group.slice('service:'.length), startedBy };
}

async function standingIn({ cluster, service, startedBy }: OwnTask, client: ECSClient): Promise<Standing> {
  const answer = await client.send(new DescribeServicesCommand({ cluster, services: [service] }), timeout());
  const found = answer.services?.[0];
  const primary = found?.deployments?.find(({ status }) => status === 'PRIMARY');
  if (!found || !primary) throw new Error(`ECS tells no deployment of the service ${service}`);
  const { id, createdAt, runningCount = 0, desiredCount = 0 } = primary;
  return {
    supersededAt: id === startedBy ? undefined : (createdAt?.getTime() ?? Date.now()),
    isReplaced: desiredCount > 0 && runningCount >= desiredCount,
    runningTasks: found.runningCount ?? 0,
  };
}

function timeout() {
  return { abortSignal: AbortSignal.timeout(answerMs) };
}
