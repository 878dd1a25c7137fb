import type { Logger } from 'pino';
import { readEnvironment } from './environment.ts';
import { leaveOnSignals } from './process/drain.ts';
import { keepShortLivedYoung } from './process/garbage-collection.ts';
import { createLog } from './process/log.ts';
import { withSourceLines } from './process/source-lines.ts';
import { openTaskReader, watchTask } from './process/task-watch.ts';
import { RedisSettingError } from './redis/setting/setting.ts';
import { type Service, startService } from './service.ts';
import { EnvironmentError } from './variables.ts';

/**
 * The service as a process. Its entry calls it once all modules are loaded: of a build that does not load nothing is
 * served.
 */
export async function main(): Promise<void> {
  try {
    await serve();
  } catch (error) {
    console.error(explainBootFailure(error));
    process.exit(1);
  }
}

async function serve(): Promise<void> {
  keepShortLivedYoung();
  const environment = readEnvironment(process.env);
  const log = createLog(environment.logLevel, environment.instanceId);
  for (const remark of environment.misspelt) log.warn(remark);
  let serves = false;
  handleFaults(log, () => serves);
  const service = await startService(environment, log);
  serves = true;
  log.info(`listening on ${service.url}`);
  leaveOnSignals({ service, drainSeconds: environment.drainSeconds, log });
  if (environment.ecsMetadataUri) drainWithTask(environment.ecsMetadataUri, service, log);
}

/** On ECS: drains as soon as ECS takes the task out, and ends at its SIGTERM. */
function drainWithTask(metadataUri: string, service: Service, log: ReturnType<typeof createLog>): void {
  watchTask({
    reader: openTaskReader(metadataUri),
    log,
    onLeaving: ({ lastStatus, desiredStatus }) => {
      log.info(`ECS takes this task out (${lastStatus}, to be ${desiredStatus}): draining`);
      void service.drain();
    },
  });
}

/** What the reader can mend is said in words; a stack is for what they can't. */
function explainBootFailure(error: unknown): string {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (error instanceof EnvironmentError || error instanceof RedisSettingError) return message;
  if (code === 'EADDRINUSE') return `${message}. Another process listens there: set PORT to a free one.`;
  if (code === 'EACCES') return `${message}. Ports below 1024 need privileges: set PORT to a higher one.`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${message}. HOST is no address of this machine.`;
  return stack === undefined ? String(error) : withSourceLines(stack);
}

/**
 * Says what becomes of the process where something throws that nothing catches. One that does not serve yet ends: a
 * start that failed by half is none. One that serves goes on: it should not happen, and stands in the log as `fatal`;
 * but what one client sends must not disconnect all of them, here and, sent again, on the next instance.
 */
function handleFaults(log: Pick<Logger, 'fatal'>, serves: () => boolean): void {
  // A rejection that nobody handles arrives here as well: Node makes an exception of it.
  process.on('uncaughtException', (err, origin) => {
    if (serves()) {
      log.fatal({ err, origin }, 'nothing caught this; the process goes on. Please report it with its stack');
      return;
    }
    log.fatal({ err, origin }, 'ended by a fault that nothing caught');
    process.exit(1);
  });
}
