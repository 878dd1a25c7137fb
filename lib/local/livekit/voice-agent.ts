import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { agentName } from '../../../app/names.ts';
import { agentEnvironment as names } from '../../../livekit/agent/names.ts';
import type { ApiKey } from '../../../livekit/config/environment.ts';
import { ManagedProcess } from '../processes/managed-process.ts';
import { freePort } from '../processes/ports.ts';
import type { Watchdog } from '../processes/watchdog.ts';

const entry = fileURLToPath(new URL('../../../livekit/agent/main.ts', import.meta.url));
const framework = fileURLToPath(
  new URL('../../../livekit/agent/node_modules/@livekit/agents', import.meta.url),
);
const checkMs = 100;

export interface VoiceAgentOptions {
  /** What it inherits, such as its mode and the key of its model. */
  readonly environment: NodeJS.ProcessEnv;
  /** LiveKit's address, `ws://…`. */
  readonly url: () => string;
  readonly key: ApiKey;
  readonly watchdog: Watchdog;
}

/** The agent is a package of its own, which takes 300 MB, so it need not be there. */
export function isAgentInstalled(): boolean {
  return existsSync(entry) && existsSync(framework);
}

/** Prepares one worker; the caller starts it. */
export function voiceAgent({ environment, url, key, watchdog }: VoiceAgentOptions): ManagedProcess {
  return new ManagedProcess({
    id: 'agent-1',
    kind: 'agent',
    watchdog,
    launch: async (lastPort) => {
      const port = await freePort(lastPort);
      return {
        command: process.execPath,
        // Node before 22.18 can't run TypeScript by itself. The worker's own processes inherit the option.
        args: ['--import', import.meta.resolve('tsx'), entry],
        env: {
          // Above 1 it accepts calls on a busy machine too: there is no other worker.
          [names.loadThreshold]: '2',
          ...environment,
          [names.url]: url(),
          [names.apiKey]: key.key,
          [names.apiSecret]: key.secret,
          [names.agentName]: agentName,
          [names.port]: String(port),
        },
        port,
      };
    },
  });
}

/** Resolves once the agent is registered at LiveKit. */
export async function agentReady(agent: ManagedProcess, signal: AbortSignal): Promise<void> {
  while (!(await responds(agent.port))) await delay(checkMs, undefined, { signal });
  agent.markReady();
}

async function responds(port: number | undefined): Promise<boolean> {
  if (port === undefined) return false;
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
