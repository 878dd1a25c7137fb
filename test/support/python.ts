import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { skipSuite } from './skipping.ts';

const run = promisify(execFile);

/** Python 3.11 or newer, the first that is found. */
const python = [process.env.PYTHON_BIN, 'python3', 'python'].find(
  (command) =>
    command !== undefined &&
    spawnSync(command, ['-c', 'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)']).status ===
      0,
);

/** A suite that needs Python, and packages of PyPI: `npm run test:python` runs it. */
export function describeWithPython(title: string, suite: () => void): void {
  if (process.env.PYTHON !== 'run') skipSuite(title, '`npm run test:python` runs it', suite);
  else if (!python) skipSuite(title, 'no Python 3.11 or newer: install it, or name one in PYTHON_BIN', suite);
  else describe(title, suite);
}

const cache = join(import.meta.dirname, '../../node_modules/.cache/python');

/**
 * An environment with the packages of a file of requirements, which is made once and kept.
 *
 * @returns the path of its Python
 */
export async function pythonWith(requirements: string): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const folder = join(cache, hash);
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true });
    const incomplete = `${folder}-${process.pid}`;
    rmSync(incomplete, { recursive: true, force: true });
    await run(python as string, ['-m', 'venv', incomplete]);
    await run(join(incomplete, 'bin/python'), ['-m', 'pip', 'install', '-q', '-r', requirements], {
      maxBuffer: 16 * 1024 * 1024,
    });
    renameSync(incomplete, folder);
  }
  return join(folder, 'bin/python');
}
