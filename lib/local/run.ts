import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { environmentNames as names } from '../../app/names.ts';
import { type LocalOptions, parseArguments, UsageError, usage } from './arguments.ts';
import { StartError } from './processes/start.ts';
import { findLiveKit, findRedis } from './programs.mjs';
import { notesOn, readyScreen, seconds } from './screen.ts';
import { isAlive } from './state.ts';
import { Topology } from './topology.ts';

/** A second signal counts only after so many milliseconds: npm repeats the signal that the terminal sent already. */
const repeatedSignalMs = 500;
const parentCheckMs = 250;
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the topology until a signal stops it. @returns the process's exit code */
export async function runLocal(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const options = readArguments(args);
  if (typeof options === 'number') return options;
  const programs = findPrograms(options, environment);
  const topology = new Topology({
    ...options,
    redisBinary: programs.redis,
    liveKit:
      programs.liveKit === undefined
        ? undefined
        : { binary: programs.liveKit, nodes: options.liveKitNodes, agent: options.agent },
    environment,
    print: console.log,
  });
  const stop = stopRequested(topology, environment.npm_lifecycle_event !== undefined);
  try {
    await Promise.race([
      serve(topology, options, (port) => notesOn({ options, environment, ...programs, port })),
      stop,
    ]);
    await stop;
    return 0;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(`\n${error.message}\n`);
    return 1;
  } finally {
    await topology.stop();
  }
}

function readArguments(args: readonly string[]): LocalOptions | number {
  try {
    const options = parseArguments(args);
    if (options !== 'help') return options;
    console.log(usage);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

interface Programs {
  readonly redis: string | undefined;
  readonly liveKit: string | undefined;
}

function findPrograms({ liveKitNodes }: LocalOptions, environment: NodeJS.ProcessEnv): Programs {
  const isElsewhere = Boolean(environment[names.liveKitUrl]);
  return {
    redis: findRedis(environment),
    liveKit: liveKitNodes === 0 || isElsewhere ? undefined : findLiveKit(environment),
  };
}

async function serve(
  topology: Topology,
  { watch }: LocalOptions,
  notesFor: (port: number) => string[],
): Promise<void> {
  await topology.start();
  if (watch) await topology.watch();
  const { url, port, redis } = topology;
  console.log(readyScreen({ url, processes: topology.processes(), redis, notes: notesFor(port) }));
  await runSmokeTest(topology);
  if (watch) console.log('watch: each saved change of app/ is built and rolled out');
  await startAgent(topology);
}

async function runSmokeTest(topology: Topology): Promise<void> {
  const across = topology.processes().filter(({ kind }) => kind === 'instance').length > 1;
  const route = across ? 'across instances' : 'through the load balancer';
  try {
    await topology.smokeTest();
    console.log(`smoke test passed: a message went ${route} after ${seconds(performance.now())}`);
  } catch (error) {
    console.error(`FAILED: the smoke test: no message went ${route}.`);
    console.error(`  ${(error as Error).message}`);
    console.error('  The topology runs on; `npm run verify` finds the cause.');
  }
}

async function startAgent(topology: Topology): Promise<void> {
  try {
    const id = await topology.startAgent();
    if (id) console.log(`${id} is registered: calls can ask for it after ${seconds(performance.now())}`);
  } catch (error) {
    if (!(error instanceof StartError) || topology.isStopping) return;
    console.error(`FAILED: the voice agent. ${error.message}\n  The topology runs on without it.`);
  }
}

/** Resolves at the first signal; a second one kills everything. */
function stopRequested(topology: Topology, underNpm: boolean): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const stop = () => {
      firstAt ??= performance.now();
      resolve();
    };
    const onSignal = () => {
      if (firstAt === undefined) {
        console.log('\nstopping (Ctrl-C again to force)');
        stop();
      } else if (performance.now() - firstAt > repeatedSignalMs) {
        topology.kill();
        process.exit(130);
      }
    };
    for (const signal of stopSignals) process.on(signal, onSignal);
    if (underNpm) onParentGone(stop);
  });
}

/** npm runs its scripts in a shell. A SIGTERM to npm ends these two alone, and a SIGKILL only one of them. */
function onParentGone(stop: () => void): void {
  const parent = process.ppid;
  const parents = npmParents(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && parents.every(isAlive)) return;
    clearInterval(timer);
    stop();
  }, parentCheckMs);
  timer.unref();
}

interface Process {
  readonly parent: number;
  /** The program's name without its folder. */
  readonly name: string;
}

/**
 * Finds the processes whose end means that npm is gone, for a program that npm started. Its parent is npm, or the shell
 * in which npm runs its scripts; npm is then the parent of that shell.
 * @returns their process ids
 */
function npmParents(parent = process.ppid): number[] {
  const shell = look(parent);
  return shell && /^(ba|da|z|k|a)?sh$/.test(shell.name) && shell.parent > 1
    ? [parent, shell.parent]
    : [parent];
}

function look(pid: number): Process | undefined {
  try {
    // `<pid> (<name>) <state> <parent> …`; the name may hold blanks and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    return {
      name: stat.slice(stat.indexOf('(') + 1, end),
      parent: Number(stat.slice(end + 2).split(' ')[1]),
    };
  } catch {
    return askPs(pid);
  }
}

/** macOS has no /proc. */
function askPs(pid: number): Process | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], {
      encoding: 'utf8',
      timeout: 1_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [, parent, path = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    return parent
      ? { parent: Number(parent), name: path.split('/').at(-1)?.replace(/^-/, '') ?? '' }
      : undefined;
  } catch {
    return undefined;
  }
}
