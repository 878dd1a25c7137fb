import type { Task } from '@aws-sdk/client-ecs';
import { CheckFailure, CheckSkip } from '../check.ts';
import type { DeployedResource, DeployedStack } from './deployed-stack.ts';
import type { StackCheck } from './stack-check.ts';
import { readTasks } from './tasks.ts';

/** `…UserPasswordA3` and a hash: the round is in the logical id. */
const passwordId = /Password[AB](\d+)[0-9A-F]{8}$/;

export const tasksAfterRotation: StackCheck = {
  name: 'tasks-after-rotation',
  title: 'Every task was started after the last rotation of the cache’s passwords',
  async run(stack, clients) {
    const password = newestPassword(stack);
    if (!password) throw new CheckSkip('the stack has no passwords of a cache');
    const tasks = (await readTasks(stack, clients)).filter(({ lastStatus }) => lastStatus === 'RUNNING');
    const older = tasks.filter(({ startedAt }) => startedAt !== undefined && startedAt < password.updatedAt);
    const since = password.updatedAt.toISOString();
    if (older.length === 0) return { proved: `${tasks.length} tasks, all started after ${since}` };
    throw new CheckFailure({
      found: `${older.length} of ${tasks.length} tasks were started before ${since}: ${older.map(idOf).join(', ')}`,
      cause:
        'the deployment that rotated has not replaced them: they hold the password of the round before, which the next round makes invalid',
      fix: 'wait for the deployment, or `aws ecs update-service --force-new-deployment`, before the next round',
    });
  },
};

function newestPassword({ resources }: DeployedStack): DeployedResource | undefined {
  const roundOf = ({ logicalId }: DeployedResource) => Number(passwordId.exec(logicalId)?.[1] ?? -1);
  const [newest] = resources
    .filter(({ type, logicalId }) => type === 'AWS::SecretsManager::Secret' && passwordId.test(logicalId))
    .sort((one, other) => roundOf(other) - roundOf(one));
  return newest;
}

const idOf = ({ taskArn = '' }: Task) => taskArn.slice(taskArn.lastIndexOf('/') + 1);
