import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { environmentNames, paths } from '../../../app/names.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { eventually } from '../wait.ts';

/** One instance of the built service, as a process. */
export interface TestInstance {
  readonly id: string;
  readonly url: string;
  readonly process: ChildProcess;
  /** All it has written so far. */
  output(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

const builtEntry = join(import.meta.dirname, '../../../app/dist/server/main.js');

/** Starts an instance; does not wait for it. */
export async function spawnInstance(id: string, environment: NodeJS.ProcessEnv): Promise<TestInstance> {
  const port = environment[environmentNames.port] ?? String(await freePort());
  const child = spawn(process.execPath, [builtEntry], {
    env: {
      PATH: process.env.PATH,
      [environmentNames.host]: '127.0.0.1',
      [environmentNames.port]: port,
      [environmentNames.instanceId]: id,
      // Tests of what has nothing to do with who may connect.
      ...(hasAuth(environment) ? {} : { [environmentNames.auth]: 'none' }),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += data;
    });
  }
  // At its exit the last lines of the log may still be on their way.
  const exited = once(child, 'close');
  const ended = async () => {
    const [code, signal] = await exited;
    return code ?? signal;
  };
  return {
    id,
    url: `http://127.0.0.1:${port}`,
    process: child,
    output: () => output,
    ended,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await exited;
    },
  };
}

function hasAuth(environment: NodeJS.ProcessEnv): boolean {
  return (
    environment[environmentNames.authSecret] !== undefined ||
    environment[environmentNames.authJwksUrl] !== undefined
  );
}

/** Starts an instance and waits until it would be given clients; one that never would is ended. */
export async function startInstance(id: string, environment: NodeJS.ProcessEnv): Promise<TestInstance> {
  const instance = await spawnInstance(id, environment);
  try {
    await untilReady(instance);
  } catch (error) {
    await instance.kill('SIGKILL');
    throw error;
  }
  return instance;
}

export async function untilReady(instance: TestInstance): Promise<void> {
  await eventually(`${instance.id} to be ready`, async () => {
    if (instance.process.exitCode !== null) throw new Error(`${instance.id} ended:\n${instance.output()}`);
    return (await readiness(instance)).code === 200;
  });
}

/** The log comes through a pipe: it may arrive behind what clients see of the same event. */
export async function untilLogged(instance: TestInstance, text: string): Promise<void> {
  await eventually(`${instance.id} to log "${text}"`, () => instance.output().includes(text));
}

export async function readiness(instance: TestInstance): Promise<{ code: number; status: string }> {
  try {
    const response = await fetch(instance.url + paths.ready);
    const { status } = (await response.json()) as { status: string };
    return { code: response.status, status };
  } catch {
    return { code: 0, status: 'no answer' };
  }
}
