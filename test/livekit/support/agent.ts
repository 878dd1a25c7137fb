import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { agentEnvironment as names } from '../../../livekit/agent/names.ts';
import { skipSuite } from '../../support/skipping.ts';
import { eventually } from '../../support/wait.ts';
import { apiKey, describeWithLiveKit, liveKitBinary } from './livekit-server.ts';

const folder = join(import.meta.dirname, '../../../livekit/agent');

/** The set-up installs the agent's packages where there is a livekit-server. */
const isInstalled = existsSync(join(folder, 'node_modules/@livekit/agents'));

/** A suite that needs a real server and the agent's own packages; without them it is skipped. */
export function describeWithAgent(title: string, suite: () => void): void {
  if (liveKitBinary && !isInstalled)
    skipSuite(title, 'livekit/agent has no packages. To have them: npm run setup', suite);
  else describeWithLiveKit(title, suite);
}

/** Processes, detectors and codecs: on a busy machine each of them is late. It bounds a test that hangs. */
export const longestWaitMs = 60_000;

export interface TestAgent {
  /** Its health check. */
  readonly url: string;
  output(): string;
  /** The exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

/** A worker, as a process; resolves when it is registered. */
export async function startAgent(url: string, environment: NodeJS.ProcessEnv = {}): Promise<TestAgent> {
  const port = await freePort();
  // Node 20 can't run TypeScript by itself, as the image's Node does.
  const child = spawn(process.execPath, ['main.ts'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      NODE_OPTIONS: `--import=${import.meta.resolve?.('tsx') ?? 'tsx'}`,
      [names.url]: url,
      [names.apiKey]: apiKey.key,
      [names.apiSecret]: apiKey.secret,
      [names.port]: String(port),
      // A busy machine is no reason to refuse a test's call.
      [names.loadThreshold]: '100',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: its children would outlive it for seconds.
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const exited = once(child, 'close');
  const health = `http://127.0.0.1:${port}/`;
  const agent: TestAgent = {
    url: health,
    output: () => output,
    ended: async () => {
      const [code, signal] = await exited;
      return code ?? signal;
    },
    kill: async (signal) => {
      child.kill(signal);
    },
    stop: async () => {
      endGroup(child.pid as number);
      await exited;
    },
  };
  const isRegistered = async () => {
    if (child.exitCode !== null) throw new Error(`the agent ended:\n${output}`);
    return fetch(health).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await eventually('the agent to be registered', isRegistered, longestWaitMs);
  return agent;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
