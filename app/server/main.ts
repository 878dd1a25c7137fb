import { EnvironmentError, readEnvironment } from './environment.ts';
import { createLog } from './log.ts';
import { RedisSettingError } from './redis/setting.ts';
import { type Service, startService } from './service.ts';

/** Longest wait for a tidy end before the process leaves anyway; ECS kills after its stop timeout. */
const longestStopMs = 20_000;

async function main(): Promise<void> {
  const environment = readEnvironment(process.env);
  const log = createLog(environment.logLevel, environment.instanceId);
  const service = await startService(environment, log);
  log.info(`listening on ${service.url}`);
  stopOnSignals(service, log);
}

function stopOnSignals(service: Service, log: ReturnType<typeof createLog>): void {
  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info(`${signal}: draining`);
    setTimeout(() => {
      log.error(`not stopped after ${longestStopMs / 1000} s: leaving`);
      process.exit(1);
    }, longestStopMs).unref();
    await service.stop();
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
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
