import {
  type Deployment,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
} from '@aws-sdk/client-ecs';

/** The status of this task's deployment within its service. */
export interface DeploymentStatus {
  /** When the deployment began that supersedes this task's, in milliseconds since 1970. Undefined: it is current. */
  readonly supersededAt: number | undefined;
  /** All tasks of the current deployment have run for a while, and none has failed meanwhile. */
  readonly isReplaced: boolean;
  /** Running tasks of the service, of all its deployments. */
  readonly runningTasks: number;
}

export interface DeploymentStatusReader {
  /**
   * The status of the latest poll. It polls when the last one is old enough.
   *
   * @param now milliseconds since 1970. @default Date.now()
   * @throws if ECS does not respond, or the task belongs to no service
   */
  read(now?: number): Promise<DeploymentStatus>;
  close(): void;
}

export interface DeploymentStatusOptions {
  /** `ECS_CONTAINER_METADATA_URI_V4` */
  readonly metadataUri: string;

  /** About how often ECS is asked. Its API serves the whole account, and each task asks. */
  readonly pollMs: number;

  /**
   * For how long all tasks of a deployment must have run without a failure. ECS counts tasks that are not healthy as
   * running, until it replaces them.
   */
  readonly steadyMs: number;
}

const timeoutMs = 3_000;

/** Polls differ by a fifth, so that tasks that started together don't ask together for ever. */
const jittered = (ms: number) => ms * (0.8 + 0.4 * Math.random());

/** Reads the status from ECS, with the task's role: `ecs:DescribeTasks` and `ecs:DescribeServices`. */
export function openDeploymentStatusReader(options: DeploymentStatusOptions): DeploymentStatusReader {
  const { metadataUri, pollMs, steadyMs } = options;
  // The next poll retries a request that failed. Where ECS throttles, the client itself waits longer and longer.
  const client = new ECSClient({ maxAttempts: 2, retryMode: 'adaptive' });
  let own: Promise<OwnTask> | undefined;
  const ownTask = () => {
    own ??= readOwnTask(client, metadataUri);
    own.catch(() => {
      own = undefined;
    });
    return own;
  };
  let steady: SteadySpell | undefined;
  const poll = async (now: number) => {
    const own = await ownTask();
    const service = await readService(own, client);
    steady = spellOf(service.primary, steady, now);
    return statusOf(service, own, steady !== undefined && now - steady.since >= steadyMs);
  };
  let latest: Promise<DeploymentStatus> | undefined;
  let nextAt = 0;
  return {
    read: (now = Date.now()) => {
      if (latest && now < nextAt) return latest;
      nextAt = now + jittered(pollMs);
      latest = poll(now);
      return latest;
    },
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
  const response = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`the task metadata endpoint responded with ${response.status}`);
  const { TaskARN: arn, Cluster: cluster } = (await response.json()) as { TaskARN: string; Cluster: string };
  const { tasks } = await client.send(new DescribeTasksCommand({ cluster, tasks: [arn] }), timeout());
  const { group, startedBy } = tasks?.[0] ?? {};
  if (!group?.startsWith('service:') || !startedBy) throw new Error(`${arn} belongs to no service`);
  return { cluster, service: group.slice('service:'.length), startedBy };
}

interface ServiceStatus {
  readonly primary: Deployment;
  readonly runningTasks: number;
}

async function readService({ cluster, service }: OwnTask, client: ECSClient): Promise<ServiceStatus> {
  const { services } = await client.send(
    new DescribeServicesCommand({ cluster, services: [service] }),
    timeout(),
  );
  const found = services?.[0];
  const primary = found?.deployments?.find(({ status }) => status === 'PRIMARY');
  if (!found || !primary) throw new Error(`ECS reports no deployment of the service ${service}`);
  return { primary, runningTasks: found.runningCount ?? 0 };
}

/** Since when a deployment has had all its tasks without a failure. */
interface SteadySpell {
  readonly deployment: string | undefined;
  readonly failedTasks: number;
  readonly since: number;
}

function spellOf(
  { id, runningCount = 0, desiredCount = 0, failedTasks = 0 }: Deployment,
  last: SteadySpell | undefined,
  now: number,
): SteadySpell | undefined {
  if (desiredCount === 0 || runningCount < desiredCount) return undefined;
  const goesOn = last?.deployment === id && last?.failedTasks === failedTasks;
  return { deployment: id, failedTasks, since: goesOn ? last.since : now };
}

function statusOf(
  { primary, runningTasks }: ServiceStatus,
  { startedBy }: OwnTask,
  isReplaced: boolean,
): DeploymentStatus {
  const { id, createdAt } = primary;
  return {
    supersededAt: id === startedBy ? undefined : (createdAt?.getTime() ?? Date.now()),
    isReplaced,
    runningTasks,
  };
}

function timeout() {
  return { abortSignal: AbortSignal.timeout(timeoutMs) };
}
