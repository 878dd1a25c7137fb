import { leaveOnSignals } from './draining/signals.ts';
import { openTaskReader } from './draining/task-state.ts';
import { watchTask } from './draining/task-watch.ts';
import { EnvironmentError, readEnvironment } from './environment.ts';
import { createLog } from './log.ts';
import { RedisSettingError } from './redis/setting.ts';
import { type Service, startService } from './service.ts';

async function main(): Promise<void> {
  const environment = readEnvironment(process.env);
  const log = createLog(environment.logLevel, environment.instanceId);
  const service = await startService(environment, log);
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

/** What the reader can mend is told in words; a stack is for what they can't. */
function explainBootFailure(error: unknown): string {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (error instanceof EnvironmentError || error instanceof RedisSettingError) return message;
  if (code === 'EADDRINUSE') return `${message}. Another process listens there: set PORT to a free one.`;
  if (code === 'EACCES') return `${message}. Ports below 1024 need privileges: set PORT to a higher one.`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `${message}. HOST is no address of this machine.`;
  return stack ?? String(error);
}

main().catch((error) => {
  console.error(explainBootFailure(error));
  process.exit(1);
});
