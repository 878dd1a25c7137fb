import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { skipSuite } from './skipping.ts';

const run = promisify(execFile);
const python = process.env.PYTHON_BINARY ?? 'python3';

/** Shared by all runs: a set of packages takes half a minute to bring. */
const venvs = process.env.PYTHON_VENVS ?? join(import.meta.dirname, '../../node_modules/.cache/python');

/** A suite with processes of Python, if this run is for that and the machine has it. */
export function describeWithPython(title: string, suite: () => void): void {
  const lacking = lack();
  if (lacking) skipSuite(title, lacking, suite);
  else describe(title, suite);
}

function lack(): string | undefined {
  if (process.env.PYTHON !== 'run') return '`npm run test:python` runs them';
  const { status } = spawnSync(python, [
    '-c',
    'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)',
  ]);
  return status === 0
    ? undefined
    : 'no Python 3.11 or newer with venv: install python3-venv, or name one in PYTHON_BINARY';
}

/** The interpreter of an environment with the packages of a file, which names each of them with its version. */
export async function openVenv(requirements: string): Promise<string> {
  const { stdout: version } = await run(python, ['--version']);
  const hash = createHash('sha256').update(readFileSync(requirements)).update(version).digest('hex');
  const name = `${basename(dirname(requirements))}-${basename(requirements, '.txt')}-${hash.slice(0, 12)}`;
  const folder = join(venvs, name);
  if (!existsSync(folder)) await createVenv(folder, requirements);
  return join(folder, 'bin/python');
}

/** One that is not complete is never taken for one. */
async function createVenv(folder: string, requirements: string): Promise<void> {
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(venvs, { recursive: true });
  try {
    await run(python, ['-m', 'venv', unfinished]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    await run(join(unfinished, 'bin/python'), [...install, '-r', requirements]);
    // Another test file may have been faster with the same packages.
    if (!existsSync(folder)) renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
