import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { kill } from '../../support/redis/redis-pair.ts';
import { LocalInstance, type LocalInstanceOptions } from '../../support/servers/local-instance.ts';

/** An instance of a history, wherever it runs. */
export interface Instance {
  readonly id: string;
  readonly port: number;
  /** It shares its rooms with the others now, as far as it has said so. */
  isJoined(): boolean;
  /** Resolves when it runs again. */
  stop(ms: number): Promise<void>;
  /** No word to anyone. */
  kill(): Promise<void>;
}

/** In the test's own process: it can't be stopped. */
export async function startHere(options: LocalInstanceOptions): Promise<Instance> {
  const instance = await LocalInstance.start(options);
  return {
    id: instance.id,
    port: instance.port,
    isJoined: () => instance.isJoined,
    stop: async () => undefined,
    kill: () => instance.kill(),
  };
}

const entry = join(import.meta.dirname, 'instance-process.ts');

export async function startProcess(options: LocalInstanceOptions): Promise<Instance> {
  const child = fork(entry, [JSON.stringify(options)], { execArgv: ['--import', 'tsx'] });
  let isJoined = false;
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (said: { port?: number; isJoined: boolean }) => {
      isJoined = said.isJoined;
      if (said.port !== undefined) resolve(said.port);
    });
    child.once('exit', () => reject(new Error(`the process of ${options.id} ended at its start`)));
  });
  return {
    id: options.id,
    port,
    isJoined: () => isJoined,
    stop: async (ms) => {
      child.kill('SIGSTOP');
      await delay(ms);
      child.kill('SIGCONT');
    },
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) await kill({ process: child });
    },
  };
}
