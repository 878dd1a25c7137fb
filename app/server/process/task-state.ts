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

/**
 * Reads this task's state with `ecs:DescribeTasks`. Region and credentials are the process's own.
 *
 * The SDK takes a while to load: only a process on ECS pays, when it asks first.
 */
export function openTaskReader(metadataUri: string): TaskReader {
  let opened: Promise<TaskReader> | undefined;
  return {
    read: async () => {
      opened ??= import('./ecs-tasks.ts').then(({ openEcsReader }) => openEcsReader(metadataUri));
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

const leaving: readonly string[] = ['DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED', 'DELETED'];

/** Did ECS decide to take it out? A task of one target group may skip DEACTIVATING; its desired status tells too. */
export function isLeaving({ lastStatus, desiredStatus }: TaskState): boolean {
  return leaving.includes(lastStatus) || desiredStatus === 'STOPPED';
}
