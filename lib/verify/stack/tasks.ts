import type { ListTasksRequest, Task } from '@aws-sdk/client-ecs';
import { CheckFailure, NotProvedError } from '../check.ts';
import { type AwsClients, explainRejection } from './aws-clients.ts';
import type { DeployedResource, DeployedStack, StackCheck } from './deployed-stack.ts';

/**
 * The tasks of the cluster, in any state.
 *
 * @param of only those of a service; with `desiredStatus: 'STOPPED'` those that must stop, for an hour after their end
 * @throws NotProvedError if the stack has no cluster, CheckFailure if they can't be read
 */
export async function readTasks(
  stack: DeployedStack,
  { ecs }: AwsClients,
  of: Pick<ListTasksRequest, 'serviceName' | 'desiredStatus'> = {},
): Promise<Task[]> {
  const cluster = stack.find('AWS::ECS::Cluster')?.physicalId;
  if (!cluster) throw new NotProvedError('the stack has no cluster');
  const { DescribeTasksCommand, ListTasksCommand } = await import('@aws-sdk/client-ecs');
  try {
    const tasks: Task[] = [];
    let token: string | undefined;
    do {
      // A page has at most a hundred tasks, as many as one request can describe.
      const page = await ecs.send(
        new ListTasksCommand({ cluster, ...of, ...(token ? { nextToken: token } : {}) }),
      );
      const { taskArns = [] } = page;
      if (taskArns.length > 0)
        tasks.push(...((await ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns }))).tasks ?? []));
      token = page.nextToken;
    } while (token);
    return tasks;
  } catch (error) {
    throw explainRejection(error, `the tasks of ${cluster}`);
  }
}

/** `…UserPasswordA3` and a hash: the version is in the logical id. */
const passwordId = /Password[AB](\d+)[0-9A-F]{8}$/;

export const tasksAfterRotation: StackCheck = {
  name: 'tasks-after-rotation',
  title: 'Every task was started after the last rotation of the cache’s passwords',
  async run(stack, clients) {
    const password = newestPassword(stack);
    if (!password) throw new NotProvedError('the stack has no passwords of a cache');
    const tasks = (await readTasks(stack, clients)).filter(({ lastStatus }) => lastStatus === 'RUNNING');
    const older = tasks.filter(({ startedAt }) => startedAt !== undefined && startedAt < password.updatedAt);
    const since = password.updatedAt.toISOString();
    if (older.length === 0) return { proved: `${tasks.length} tasks, all started after ${since}` };
    throw new CheckFailure({
      found: `${older.length} of ${tasks.length} tasks were started before ${since}: ${older.map(idOf).join(', ')}`,
      cause:
        'the deployment that rotated has not replaced them: they hold the password of the version before, which the next rotation makes invalid',
      fix: 'wait for the deployment, or `aws ecs update-service --force-new-deployment`, before the next rotation',
    });
  },
};

function newestPassword({ resources }: DeployedStack): DeployedResource | undefined {
  const versionOf = ({ logicalId }: DeployedResource) => Number(passwordId.exec(logicalId)?.[1] ?? -1);
  const [newest] = resources
    .filter(({ type, logicalId }) => type === 'AWS::SecretsManager::Secret' && passwordId.test(logicalId))
    .sort((one, other) => versionOf(other) - versionOf(one));
  return newest;
}

const idOf = ({ taskArn = '' }: Task) => taskArn.slice(taskArn.lastIndexOf('/') + 1);
