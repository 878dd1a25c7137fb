import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { benchSecret } from '../bench-token.ts';
import { killAtExit } from '../children.ts';
import type { Instance, InstanceOptions } from '../instance.ts';

const binary = 'centrifugo';
const startsWithinMs = 15_000;

/** Whether there is one on the PATH; its processes are measured by what Linux says of them. */
export function hasCentrifugo(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    execFileSync(binary, ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A peer with what ours has: tokens, a log of each room, recovery from it, and presence, all in Redis. */
export async function startCentrifugo({ redisUrl }: Pick<InstanceOptions, 'redisUrl'>): Promise<Instance> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'realtime-centrifugo-'));
  const file = join(folder, 'config.json');
  writeFileSync(file, JSON.stringify(configurationOf(port, redisUrl)));
  const child = spawn(binary, ['--config', file], { stdio: ['ignore', 2, 2] });
  killAtExit(child);
  const ended = once(child, 'exit').then(() => rmSync(folder, { recursive: true }));
  await untilHealthy(port);
  const pid = child.pid as number;
  const rss = async () => residentBytes(pid);
  return {
    pid,
    port,
    cpu: async () => cpuMicroseconds(pid),
    rss,
    // It has no garbage collection that could be asked for, and no heap that could be looked at.
    memory: async () => ({ rss: await rss(), heap: Number.NaN }),
    node: undefined,
    end: async (signal: NodeJS.Signals = 'SIGKILL') => {
      child.kill(signal);
      await ended;
    },
  };
}

function configurationOf(port: number, redisUrl: string): object {
  return {
    http_server: { address: '127.0.0.1', port: String(port) },
    log: { level: 'error' },
    health: { enabled: true },
    client: { token: { hmac_secret_key: benchSecret }, channel_limit: 1_024 },
    engine: { type: 'redis', redis: { address: redisUrl } },
    channel: {
      without_namespace: {
        presence: true,
        history_size: 1_000,
        history_ttl: '300s',
        force_recovery: true,
        allow_subscribe_for_client: true,
        allow_publish_for_subscriber: true,
      },
    },
  };
}

async function untilHealthy(port: number): Promise<void> {
  const deadline = Date.now() + startsWithinMs;
  for (;;) {
    const health = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (health?.ok) return;
    if (Date.now() > deadline) throw new Error('centrifugo does not answer: see what it has said above');
    await delay(50);
  }
}

/** In ticks of 10 ms, which Linux has everywhere. */
function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the process may hold spaces; behind it the 12th and 13th field are user and system time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}
