import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needsOf, testFiles } from './needs.mjs';
import { watchdog, watchProcesses } from './processes.ts';

/** Of jest's own configuration; its types stand in a package that is none of ours. */
interface Choice {
  readonly rootDir: string;
  /** Set where only tests without processes run: those need nothing. */
  readonly filter?: string;
  readonly testPathPatterns: {
    toExecutor(options: { rootDir: string }): { isMatch(file: string): boolean };
  };
}

const setup = join(import.meta.dirname, '../../bin/setup.mjs');

/** Runs once before all tests: brings what the chosen ones need and nothing else, and sees to it that nothing stays. */
export default function setUp(choice: Choice): void {
  const parts = ['packages', ...(choice.filter ? [] : partsNeeded(choice))];
  const { status } = spawnSync(process.execPath, [setup, '--only', parts.join()], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the set-up could not bring what the tests need; it says why above');
  // Workers are processes too: they end with this one.
  watchProcesses();
  takeFolder();
}

function partsNeeded({ rootDir, testPathPatterns }: Choice): string[] {
  const chosen = testPathPatterns.toExecutor({ rootDir });
  const needs = testFiles()
    .filter((file) => chosen.isMatch(file))
    .flatMap((file) => [...needsOf(file)]);
  return [...new Set(needs)].filter((need) => need !== 'processes');
}

/** A temporary folder of this run and of all its processes: whatever they leave in it goes with the run. */
function takeFolder(): void {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'realtime-tests-'));
  process.env.TMPDIR = folder;
  watchdog.removeLater(folder);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
}
