import { DescribeTasksCommand, ECSClient } from '@aws-sdk/client-ecs';
import { z } from 'zod';

/** What ECS says of a task. */
export interface TaskState {
  /** `RUNNING`, `DEACTIVATING`, `STOPPING`, `DEPROVISIONING`, `STOPPED`. */
  readonly lastStatus: string;
  /** `STOPPED` from the moment that ECS decided so. */
  readonly desiredStatus: string;
}

export interface TaskReader {
  /** @throws when ECS can't be asked, or knows no such task */
  read(): Promise<TaskState>;
  close(): void;
}

/** Which task this process is. */
interface OwnTask {
  readonly arn: string;
  readonly cluster: string;
}

const responseMs = 3_000;

const metadata = z.object({ TaskARN: z.string().min(1), Cluster: z.string().min(1) });

/**
 * Asks the container's metadata endpoint (version 4). It names the task, and its own statuses are of no use: they
 * skip DEACTIVATING (aws/containers-roadmap#2012).
 */
async function readOwnTask(metadataUri: string): Promise<OwnTask> {
  const response = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(responseMs) });
  if (!response.ok) throw new Error(`the task metadata endpoint answered ${response.status}`);
  const { TaskARN: arn, Cluster: cluster } = metadata.parse(await response.json());
  return { arn, cluster };
}

/** @throws when the metadata endpoint does not tell which task this is */
export async function openEcsReader(metadataUri: string): Promise<TaskReader> {
  const { arn, cluster } = await readOwnTask(metadataUri);
  // A failed question is asked again by the next poll.
  const client = new ECSClient({ maxAttempts: 1 });
  return {
    read: async () => {
      const response = await client.send(new DescribeTasksCommand({ cluster, tasks: [arn] }), {
        abortSignal: AbortSignal.timeout(responseMs),
      });
      const [task] = response.tasks ?? [];
      if (!task)
        throw new Error(`ECS does not know ${arn}: ${response.failures?.[0]?.reason ?? 'no reason'}`);
      return { lastStatus: task.lastStatus ?? '', desiredStatus: task.desiredStatus ?? '' };
    },
    close: () => client.destroy(),
  };
}
