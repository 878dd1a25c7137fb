import { readEnvironment } from '../../../app/server/environment.ts';
import { createLog } from '../../../app/server/process/log.ts';
import { startService } from '../../../app/server/service.ts';

/** One instance of the service in this process: as good as another one where no process is the point. */
export interface InProcessInstance {
  readonly id: string;
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** @param variables of its environment; nobody is authenticated unless they say who */
export async function startInProcess(
  id: string,
  variables: NodeJS.ProcessEnv,
  port = 0,
): Promise<InProcessInstance> {
  const hasAuth = variables.AUTH_SECRET !== undefined;
  const environment = readEnvironment({
    HOST: '127.0.0.1',
    INSTANCE_ID: id,
    DRAIN_SECONDS: '0',
    ...(hasAuth ? {} : { AUTH: 'none' }),
    ...variables,
  });
  const service = await startService({ ...environment, port }, createLog('silent', id));
  return { id, url: service.url, port: Number(new URL(service.url).port), stop: () => service.stop() };
}
