import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentNames as names, paths } from '../../../app/names.ts';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { outputFolder, repository } from '../build.ts';
import { killAtExit } from '../children.ts';
import { startBenchRedis } from '../redis.ts';
import type { BenchContext } from '../rounds.ts';
import { type BootPart, profileBoot } from './boot-profile.ts';

/** What a start takes, until the service would be given clients. */
export interface BootFigures {
  /** Milliseconds of CPU, user and system, of all threads. */
  readonly cpu: number;
  /** Milliseconds that pass. */
  readonly time: number;
  /** Bytes. */
  readonly rss: number;
}

export interface BootResults {
  readonly starts: readonly BootFigures[];
  /** Of a Node that does nothing: the service can't take less. */
  readonly bare: readonly BootFigures[];
  /** What the CPU went to in one start more, the most first. */
  readonly parts: readonly BootPart[];
}

const startsARound = 5;
const entry = join(repository, 'app/dist/server/main.js');

/** How the built service starts, with a Redis to join. */
export async function measureBoot(context: BenchContext): Promise<BootResults | undefined> {
  const { rounds, profile, print } = context;
  if (process.platform !== 'linux') {
    print('boot: left out, for it reads /proc');
    return undefined;
  }
  execFileSync(process.execPath, [join(repository, 'app/build/server.mjs')], { stdio: ['ignore', 2, 2] });
  const redis = await startBenchRedis();
  const starts: BootFigures[] = [];
  const bare: BootFigures[] = [];
  try {
    // The first one reads the files from disk.
    await measureStart(redis.url);
    for (let start = 1; start <= rounds * startsARound; start += 1) {
      starts.push(await measureStart(redis.url));
      bare.push(await measureBare());
      print(`boot, start ${start} of ${rounds * startsARound}: ${JSON.stringify(starts.at(-1))}`);
    }
    const parts = await profileBoot(
      async (nodeOptions) => {
        const service = await startService(redis.url, nodeOptions);
        return { end: () => endTidily(service) };
      },
      profile ? join(outputFolder, 'profiles') : undefined,
    );
    return { starts, bare, parts };
  } finally {
    await redis.stop();
  }
}

async function measureStart(redisUrl: string): Promise<BootFigures> {
  const { process: child, figures, port } = await startService(redisUrl);
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}${paths.ready}`);
    if (status !== 200) throw new Error(`the service was not ready: ${status}`);
    return figures;
  } finally {
    child.kill('SIGKILL');
  }
}

interface StartedService {
  readonly process: ChildProcess;
  readonly port: number;
  readonly figures: BootFigures;
}

/** Starts the service and waits by its log until it is ready, for a request that asks would be a part of the cost. */
async function startService(redisUrl: string, nodeOptions: readonly string[] = []): Promise<StartedService> {
  const port = await freePort();
  const environment = {
    NODE_ENV: 'production',
    [names.host]: '127.0.0.1',
    [names.port]: String(port),
    [names.redisUrl]: redisUrl,
    [names.auth]: 'none',
    [names.drainSeconds]: '0',
  };
  const args = [...nodeOptions, entry];
  return { ...(await startAndMeasure(args, environment, ['listening on', 'backplane: redis at'])), port };
}

async function measureBare(): Promise<BootFigures> {
  const args = ['--eval', 'console.log("started"); setInterval(() => undefined, 1_000)'];
  const { process: child, figures } = await startAndMeasure(args, {}, ['started']);
  child.kill('SIGKILL');
  return figures;
}

async function startAndMeasure(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  lines: readonly string[],
): Promise<Omit<StartedService, 'port'>> {
  const begun = performance.now();
  const child = spawn(process.execPath, [...args], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killAtExit(child);
  let output = '';
  for await (const data of child.stdout.iterator({ destroyOnReturn: false })) {
    output += data;
    if (lines.every((line) => output.includes(line))) break;
  }
  if (child.exitCode !== null || !lines.every((line) => output.includes(line))) {
    throw new Error(`it ended before it was ready:\n${output}`);
  }
  const time = performance.now() - begun;
  child.stdout.resume();
  const { pid } = child as { readonly pid: number };
  return { process: child, figures: { cpu: cpuOf(pid), time, rss: rssOf(pid) } };
}

/** By each thread's nanoseconds: `/proc/pid/stat` counts in hundredths of a second. */
function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

function rssOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}

/** Ends it tidily, so that Node writes what it was asked to. */
async function endTidily({ process: child }: StartedService): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
