import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { TaskReader, TaskState } from './ecs-tasks.ts';

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
function isLeaving({ lastStatus, desiredStatus }: TaskState): boolean {
  return leaving.includes(lastStatus) || desiredStatus === 'STOPPED';
}

export interface TaskWatchOptions {
  readonly reader: TaskReader;
  readonly log: Pick<Logger, 'warn'>;
  /** Called once, when ECS is taking the task out. */
  readonly onLeaving: (state: TaskState) => void;
  /** From one answer to the next question, in milliseconds, a fifth more or less by chance. @default 5000 */
  readonly everyMs?: number;
  /** A failure is reported this often, in milliseconds. @default a minute */
  readonly reportEveryMs?: number;
}

/**
 * Learns that ECS takes this task out. Behind a load balancer ECS deregisters first, the balancer cuts what is open at
 * the end of its delay, and SIGTERM comes only then: too late to send clients elsewhere one after the other.
 *
 * Without an answer the task drains at SIGTERM, as it would without this.
 *
 * @returns ends it
 */
export function watchTask(options: TaskWatchOptions): () => void {
  const ended = new AbortController();
  void watch(options, ended.signal).finally(() => options.reader.close());
  return () => ended.abort();
}

async function watch(options: TaskWatchOptions, ended: AbortSignal): Promise<void> {
  const { reader, everyMs = 5_000 } = options;
  const report = failureReports(options);
  while (!ended.aborted) {
    try {
      const state = await reader.read();
      if (ended.aborted) return;
      if (isLeaving(state)) return options.onLeaving(state);
    } catch (error) {
      if (!ended.aborted) report(error as Error);
    }
    const wait = everyMs * (0.8 + Math.random() * 0.4);
    await delay(wait, undefined, { signal: ended, ref: false }).catch(() => undefined);
  }
}

function failureReports({ log, reportEveryMs = 60_000 }: TaskWatchOptions): (error: Error) => void {
  let reportedAt: number | undefined;
  let unreported = 0;
  return (error) => {
    unreported += 1;
    if (reportedAt !== undefined && performance.now() - reportedAt < reportEveryMs) return;
    reportedAt = performance.now();
    log.warn(
      { cause: error.name, failures: unreported },
      `the state of this ECS task can't be read: ${error.message}. It drains at SIGTERM alone; the task role needs ecs:DescribeTasks`,
    );
    unreported = 0;
  };
}
