import type { AwsClients } from './clients.ts';
import type { DeployedStack } from './deployed-stack.ts';
import { readTasks } from './tasks.ts';

/** Tasks that came or went. */
export interface TaskChanges {
  readonly started: number;
  /** Those that were told to end are among them: a node lives until its calls have ended, and ECS counts it no more. */
  readonly left: number;
}

/** @throws CheckFailure when they can't be read */
export async function changesSince(
  since: Date,
  serviceName: string,
  stack: DeployedStack,
  clients: AwsClients,
): Promise<TaskChanges> {
  const [staying, leaving] = await Promise.all([
    readTasks(stack, clients, { serviceName }),
    readTasks(stack, clients, { serviceName, desiredStatus: 'STOPPED' }),
  ]);
  const started = staying.filter(({ startedAt }) => startedAt !== undefined && startedAt >= since);
  const left = leaving.filter(
    ({ startedAt, stoppedAt }) => startedAt !== undefined && (stoppedAt === undefined || stoppedAt >= since),
  );
  return { started: started.length, left: left.length };
}
