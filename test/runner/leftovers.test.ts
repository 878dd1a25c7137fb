import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/wait.ts';
import type { Left } from './fixtures/leave.ts';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'node_modules/jest/bin/jest.js');
/** A jest of its own needs seconds of a processor before its first test. */
const longestStartMs = 120_000;

interface Run {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  /** Resolves when the test of this name has left things, and says which. */
  left(name: string): Promise<Left>;
}

/** Runs the fixtures in a jest of their own, one in its own process, several in workers. */
function runFixtures(...names: string[]): Run {
  const folder = mkdtempSync(join(tmpdir(), 'left-at-'));
  // With a cache of its own: where it knows from an earlier run that one is quick, jest runs all in its own process.
  const cache = ['--cacheDirectory', join(folder, 'cache')];
  const args = ['--testMatch', `**/test/runner/fixtures/*.ts`, '--maxWorkers', '2', '--silent', ...cache];
  const child = spawn(process.execPath, [program, ...args, `fixtures/(${names.join('|')}).ts`], {
    cwd: root,
    env: { ...process.env, LEFT_AT: folder },
    stdio: 'ignore',
    detached: true,
  });
  return {
    process: child,
    ended: once(child, 'exit'),
    left: async (name) => {
      const file = join(folder, name);
      await eventually(`${name} to have left things`, () => existsSync(file), longestStartMs);
      return JSON.parse(readFileSync(file, 'utf8'));
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function untilEnded(processes: readonly number[]): Promise<void> {
  await eventually('the processes to have ended', () => !processes.some(isAlive));
}

async function untilGone(folder: string): Promise<void> {
  await eventually('the folder to be gone', () => !existsSync(folder));
}

test('a test that fails and a worker that is killed leave nothing, and the run goes on to its end', async () => {
  const run = runFixtures('fails', 'hangs');
  const [failed, hanging] = await Promise.all([run.left('fails'), run.left('hangs')]);
  await untilEnded(failed.processes);
  expect(hanging.processes.map(isAlive)).toEqual([true, true]);
  process.kill(hanging.runner, 'SIGKILL');
  await untilEnded(hanging.processes);
  expect(await run.ended).toEqual([1, null]);
  await Promise.all([failed.folder, hanging.folder].map(untilGone));
});

test.each([
  ['Ctrl-C in a terminal, which gets to all of it', 'SIGINT', (pid: number) => -pid],
  ['SIGKILL of jest alone', 'SIGKILL', (pid: number) => pid],
] as const)(
  '%s leaves nothing, its workers neither',
  async (_how, signal, target) => {
    const run = runFixtures('fails', 'hangs');
    const { processes, folder, runner } = await run.left('hangs');
    process.kill(target(run.process.pid as number), signal);
    await untilEnded([...processes, runner]);
    await untilGone(folder);
  },
  180_000,
);

test('SIGTERM of a run without workers leaves nothing', async () => {
  const run = runFixtures('hangs');
  const { processes, folder, runner } = await run.left('hangs');
  expect(runner).toBe(run.process.pid);
  run.process.kill('SIGTERM');
  await untilEnded([...processes, runner]);
  await untilGone(folder);
});
