import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { agentName } from '../../app/names.ts';
import { agentEnvironment as names } from '../../livekit/agent/names.ts';
import type { ApiKey } from '../../livekit/config/environment.ts';
import type { Guard } from './guard.ts';
import { Part } from './part.ts';
import { freePort } from './ports.ts';

const entry = fileURLToPath(new URL('../../livekit/agent/main.ts', import.meta.url));
const framework = fileURLToPath(new URL('../../livekit/agent/node_modules/@livekit/agents', import.meta.url));
const checkMs = 100;

export interface VoiceAgentOptions {
  /** What it inherits, such as its mode and the key of its model. */
  readonly environment: NodeJS.ProcessEnv;
  /** Where LiveKit is, `ws://…`. */
  readonly url: () => string;
  readonly key: ApiKey;
  readonly guard: Guard;
}

/** It is a package of its own, which takes 300 MB. */
export function isAgentInstalled(): boolean {
  return existsSync(entry) && existsSync(framework);
}

/** One worker, to be started. */
export function voiceAgent({ environment, url, key, guard }: VoiceAgentOptions): Part {
  return new Part({
    id: 'agent-1',
    kind: 'agent',
    guard,
    launch: async (lastPort) => {
      const port = await freePort(lastPort);
      return {
        command: process.execPath,
        // Node before 22.18 needs help with TypeScript; the worker's own processes inherit it.
        args: ['--import', import.meta.resolve('tsx'), entry],
        env: {
          // Above 1 it takes calls on a busy machine too: there is no other worker.
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

/** Resolves once it is registered at LiveKit. */
export async function agentReady(part: Part, signal: AbortSignal): Promise<void> {
  while (!(await answers(part.port))) await delay(checkMs, undefined, { signal });
  part.markReady();
}

async function answers(port: number | undefined): Promise<boolean> {
  if (port === undefined) return false;
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
