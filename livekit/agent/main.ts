import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, ServerOptions } from '@livekit/agents';
import { keepLogDiscreet } from './discreet-log.ts';
import { type AgentSettings, readSettings } from './environment.ts';
import { leaveWhenTold } from './leaving.ts';

/** The worker: registers with LiveKit, and runs each call that asks for it in a process of its own (`job.ts`). */
async function main(): Promise<void> {
  const settings = readSettings(process.env);
  keepLogDiscreet(settings);
  initializeLogger({ pretty: false, level: settings.logLevel });
  const server = new AgentServer(optionsOf(settings));
  leaveWhenTold(server, settings);
  await server.run();
}

const job = fileURLToPath(new URL('./job.ts', import.meta.url));

/** Above this load LiveKit passes a worker by (`agents.target_load`), whatever the worker's own threshold is. */
const targetLoad = 0.7;

function optionsOf(settings: AgentSettings): ServerOptions {
  const { loadFunc: processorLoad } = new ServerOptions({ agent: job });
  return new ServerOptions({
    agent: job,
    // A name means that calls ask for it: without one it would be sent into every room.
    agentName: settings.agentName,
    // The framework appends a path to it as text.
    wsURL: settings.url.endsWith('/') ? settings.url : `${settings.url}/`,
    apiKey: settings.apiKey,
    apiSecret: settings.apiSecret,
    port: settings.port,
    logLevel: settings.logLevel,
    production: true,
    // One that waits, warm, for the next call: each takes about 120 MiB.
    numIdleProcesses: 1,
    // The framework's 10 s are short for a processor full of calls: it would end it half warm, and begin again.
    initializeProcessTimeout: 60_000,
    loadThreshold: targetLoad,
    loadFunc: async (server) => ((await processorLoad(server)) / settings.loadThreshold) * targetLoad,
    // `leaving.ts` bounds it.
    drainTimeout: 0,
    // ECS restarts tasks; until then LiveKit may be away for as long as it likes.
    maxRetry: Number.MAX_SAFE_INTEGER,
  });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
