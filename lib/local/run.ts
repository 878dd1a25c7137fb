import { type LocalOptions, parseArguments, UsageError, usage } from './arguments.ts';
import { npmParents } from './npm-parent.ts';
import { findRedis, installCommand, packageManager } from './programs.mjs';
import { readyScreen, seconds } from './screen.ts';
import { StartError } from './start-error.ts';
import { isAlive } from './state.ts';
import { Topology } from './topology.ts';

/** A second signal counts only after this many milliseconds: npm passes on what the terminal sent already. */
const doubledSignalMs = 500;
const parentCheckMs = 250;
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the topology until it is told to stop; the result is the process's exit code. */
export async function runLocal(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const options = readArguments(args);
  if (typeof options === 'number') return options;
  const redisBinary = findRedis(environment);
  const topology = new Topology({ ...options, redisBinary, environment, print: console.log });
  const stop = stopAsked(topology, environment.npm_lifecycle_event !== undefined);
  try {
    await Promise.race([serve(topology, options, environment, redisBinary), stop]);
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

async function serve(
  topology: Topology,
  options: LocalOptions,
  environment: NodeJS.ProcessEnv,
  redisBinary: string | undefined,
): Promise<void> {
  await topology.start();
  const notes = notesOn(topology, options, environment, redisBinary);
  console.log(readyScreen({ url: topology.url, parts: topology.parts(), redis: topology.redisName, notes }));
  await reportFirstMessage(topology);
}

function notesOn(
  topology: Topology,
  options: LocalOptions,
  environment: NodeJS.ProcessEnv,
  redisBinary: string | undefined,
): string[] {
  const notes: string[] = [];
  if (options.port === undefined && topology.port !== 8080) {
    notes.push(`Port 8080 is taken, so this one has ${topology.port}.`);
  }
  if (!redisBinary) {
    const command = installCommand(packageManager(environment), 'redis', process.getuid?.() === 0);
    notes.push(
      `No Redis server was found: one instance runs, without a backplane${options.instances > 1 ? `, not ${options.instances}` : ''}.`,
      command
        ? `To have one: ${command}`
        : 'Install valkey-server or redis-server, so that it is on the PATH.',
    );
  }
  return notes;
}

async function reportFirstMessage(topology: Topology): Promise<void> {
  const across = topology.status().parts.filter(({ kind }) => kind === 'instance').length > 1;
  try {
    await topology.firstMessage();
    const route = across ? 'across instances' : 'through the load balancer';
    console.log(`first message ${route} after ${seconds(performance.now())}`);
  } catch (error) {
    console.error(`FAILED: the first message${across ? ' across instances' : ''} did not arrive.`);
    console.error(`  ${(error as Error).message}`);
    console.error('  The topology runs on; `npm run verify` looks closer.');
  }
}

/** Resolves when it is to stop: at the first signal, of which a second ends everything at once. */
function stopAsked(topology: Topology, underNpm: boolean): Promise<void> {
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
      } else if (performance.now() - firstAt > doubledSignalMs) {
        topology.kill();
        process.exit(130);
      }
    };
    for (const signal of stopSignals) process.on(signal, onSignal);
    if (underNpm) onParentGone(stop);
  });
}

/** npm runs its scripts in a shell; a SIGTERM ends these two alone, and a SIGKILL one of them. */
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
