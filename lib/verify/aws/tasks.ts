import type { ListTasksRequest, Task } from '@aws-sdk/client-ecs';
import { CheckSkip } from '../check.ts';
import type { AwsClients } from './clients.ts';
import type { DeployedStack } from './deployed-stack.ts';
import { explainRefusal } from './explain-refusal.ts';

/**
 * Tasks of the cluster, in whatever state.
 *
 * @param of a service's alone; with `desiredStatus: 'STOPPED'` those that were told to end, for an hour after their end
 * @throws CheckSkip where the stack has no cluster, CheckFailure when they can't be read
 */
export async function readTasks(
  stack: DeployedStack,
  { ecs }: AwsClients,
  of: Pick<ListTasksRequest, 'serviceName' | 'desiredStatus'> = {},
): Promise<Task[]> {
  const cluster = stack.find('AWS::ECS::Cluster')?.physicalId;
  if (!cluster) throw new CheckSkip('the stack has no cluster');
  const { DescribeTasksCommand, ListTasksCommand } = await import('@aws-sdk/client-ecs');
  try {
    const tasks: Task[] = [];
    let token: string | undefined;
    do {
      // A page has a hundred at most, as many as can be described at once.
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
    throw explainRefusal(error, `the tasks of ${cluster}`);
  }
}
