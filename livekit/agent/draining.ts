import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type AgentServer, log } from '@livekit/agents';
import type { AgentSettings } from './environment.ts';

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
export function drainWhenAsked(server: AgentServer, { drainFile, drainSeconds }: AgentSettings): void {
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
