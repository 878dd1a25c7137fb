import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AgentServer, initializeLogger, log, ServerOptions } from '@livekit/agents';
import { keepLogDiscreet } from './discreet-log.ts';
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
    // `drainWhenAsked` has the limit.
    drainTimeout: 0,
    // LiveKit may be away for as long as it likes: ECS restarts tasks.
    maxRetry: Number.MAX_SAFE_INTEGER,
  });
}

/**
 * A call that was assigned a moment ago is not among the jobs yet. So there must be no jobs for so long, in
 * milliseconds.
 */
const quietMs = 2_000;
const lookEveryMs = 250;
/** The framework's `close` can wait for ever for its idle processes. They end with this process. */
const closeMs = 1_000;

/**
 * At SIGTERM, or as soon as the drain file exists, the agent takes no new calls, and ends when its calls have ended.
 * After SIGTERM it ends within `drainSeconds`, because ECS kills tasks that stay longer. With the file there is no
 * limit: the sidecar has one.
 */
function drainWhenAsked(server: AgentServer, { drainFile, drainSeconds }: AgentSettings): void {
  let leaving = false;
  const leave = async () => {
    if (leaving) return;
    leaving = true;
    log().info({ jobs: server.activeJobs.length }, 'takes no new calls, and ends with those that run');
    // Nothing waits for `drain`: a process that is still warming up can keep it for ever.
    server.drain().catch(() => undefined);
    await untilNobodyIsThere(server);
    await Promise.race([server.close(), delay(closeMs)]);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      void leave();
      setTimeout(() => process.exit(1), drainSeconds * 1_000).unref();
    });
  }
  if (drainFile === undefined) return;
  const watch = setInterval(() => {
    if (!existsSync(drainFile)) return;
    clearInterval(watch);
    void leave();
  }, 1_000).unref();
}

async function untilNobodyIsThere(server: AgentServer): Promise<void> {
  for (let quietFor = 0; quietFor < quietMs; quietFor += lookEveryMs) {
    if (server.activeJobs.length > 0) quietFor = 0;
    await delay(lookEveryMs);
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
