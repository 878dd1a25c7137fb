import { z } from 'zod';

/** Which task this process is. */
export interface OwnTask {
  readonly arn: string;
  readonly cluster: string;
}

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

const answerMs = 3_000;

const metadata = z.object({ TaskARN: z.string().min(1), Cluster: z.string().min(1) });

/**
 * Asks the container's metadata endpoint (version 4). It names the task, and its own statuses are of no use: they
 * skip DEACTIVATING (aws/containers-roadmap#2012).
 */
export async function readOwnTask(metadataUri: string): Promise<OwnTask> {
  const response = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(answerMs) });
  if (!response.ok) throw new Error(`the task metadata endpoint answered ${response.status}`);
  const { TaskARN: arn, Cluster: cluster } = metadata.parse(await response.json());
  return { arn, cluster };
}

/**
 * Reads this task's state with `ecs:DescribeTasks`. Region and credentials are the process's own.
 *
 * The SDK takes a while to load: only a process on ECS pays, when it asks first.
 */
export function openTaskReader(metadataUri: string): TaskReader {
  let opened: Promise<TaskReader> | undefined;
  return {
    read: async () => {
      opened ??= openReader(metadataUri);
      try {
        return await (await opened).read();
      } catch (error) {
        const failed = opened;
        // What could not be opened is tried anew.
        failed.catch(() => {
          if (opened === failed) opened = undefined;
        });
        throw error;
      }
    },
    close: () => void opened?.then((reader) => reader.close()).catch(() => undefined),
  };
}

async function openReader(metadataUri: string): Promise<TaskReader> {
  const { arn, cluster } = await readOwnTask(metadataUri);
  const { DescribeTasksCommand, ECSClient } = await import('@aws-sdk/client-ecs');
  // A failed question is asked again by the next poll.
  const client = new ECSClient({ maxAttempts: 1 });
  return {
    read: async () => {
      const answer = await client.send(new DescribeTasksCommand({ cluster, tasks: [arn] }), {
        abortSignal: AbortSignal.timeout(answerMs),
      });
      const [task] = answer.tasks ?? [];
      if (!task) throw new Error(`ECS does not know ${arn}: ${answer.failures?.[0]?.reason ?? 'no reason'}`);
      return { lastStatus: task.lastStatus ?? '', desiredStatus: task.desiredStatus ?? '' };
    },
    close: () => client.destroy(),
  };
}

const leaving: readonly string[] = ['DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED', 'DELETED'];

/** Did ECS decide to take it out? A task of one target group may skip DEACTIVATING; its desired status tells too. */
export function isLeaving({ lastStatus, desiredStatus }: TaskState): boolean {
  return leaving.includes(lastStatus) || desiredStatus === 'STOPPED';
}
