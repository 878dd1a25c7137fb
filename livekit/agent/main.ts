import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, ServerOptions } from '@livekit/agents';
import { keepLogDiscreet } from './discreet-log.ts';
import { drainWhenAsked } from './draining.ts';
import { type AgentSettings, readSettings } from './environment.ts';

/** The worker. It registers with LiveKit, and runs each requested call in its own process (`job.ts`). */
async function main(): Promise<void> {
  const settings = readSettings(process.env);
  keepLogDiscreet(settings);
  initializeLogger({ pretty: false, level: settings.logLevel });
  const server = new AgentServer(optionsOf(settings));
  drainWhenAsked(server, settings);
  await server.run();
}

const job = fileURLToPath(new URL('./job.ts', import.meta.url));

/**
 * Above this load LiveKit sends no calls to a worker (`agents.target_load`), whatever the worker's own threshold is.
 */
const targetLoad = 0.7;

function optionsOf(settings: AgentSettings): ServerOptions {
  const { loadFunc: processorLoad } = new ServerOptions({ agent: job });
  return new ServerOptions({
    agent: job,
    // With a name the agent comes only into calls that request it. Without one it would be sent into every room.
    agentName: settings.agentName,
    // The framework appends a path to it as text, so it must end with a slash.
    wsURL: settings.url.endsWith('/') ? settings.url : `${settings.url}/`,
    apiKey: settings.apiKey,
    apiSecret: settings.apiSecret,
    port: settings.port,
    logLevel: settings.logLevel,
    production: true,
    // One warm process waits for the next call. Each takes about 120 MiB.
    numIdleProcesses: 1,
    // The framework's 10 s are too short on a busy processor: a process that is half warm would be ended and started
    // again.
    initializeProcessTimeout: 60_000,
    loadThreshold: targetLoad,
    loadFunc: async (server) => ((await processorLoad(server)) / settings.loadThreshold) * targetLoad,
    // `draining.ts` has the limit.
    drainTimeout: 0,
    // LiveKit may be away for as long as it likes: ECS restarts tasks.
    maxRetry: Number.MAX_SAFE_INTEGER,
  });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
