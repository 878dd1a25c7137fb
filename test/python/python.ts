import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { skipSuite } from '../support/skipping.ts';
import { eventually } from '../support/wait.ts';

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
  const { status } = spawnSync(python, ['-c', 'import venv, ensurepip']);
  return status === 0 ? undefined : 'no Python with venv: install python3-venv, or name one in PYTHON_BINARY';
}

/** The interpreter of an environment with the packages of `requirements/`. @param version of python-socketio */
export async function openVenv(version: string): Promise<string> {
  const requirements = join(import.meta.dirname, 'requirements', `${version}.txt`);
  const { stdout: interpreter } = await run(python, ['--version']);
  const hash = createHash('sha256').update(readFileSync(requirements)).update(interpreter).digest('hex');
  const folder = join(venvs, `${version}-${hash.slice(0, 12)}`);
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
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

export interface PeerLine {
  readonly ready?: true;
  readonly done?: true;
  readonly answered?: unknown;
  readonly heard?: [event: string, ...args: unknown[]];
}

/** A process of `peer.py`. */
export class PythonPeer {
  readonly lines: PeerLine[] = [];
  readonly #process: ChildProcess;
  #errors = '';

  private constructor(child: ChildProcess) {
    this.#process = child;
    child.stderr?.on('data', (data) => {
      this.#errors += data;
    });
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(JSON.parse(line)));
  }

  /** Resolves when it serves, or is connected. */
  static async start(interpreter: string, ...words: readonly string[]): Promise<PythonPeer> {
    const file = join(import.meta.dirname, 'peer.py');
    const peer = new PythonPeer(spawn(interpreter, [file, ...words], { stdio: 'pipe' }));
    await peer.until('it to be ready', () => peer.lines.some(({ ready }) => ready));
    return peer;
  }

  get heard(): readonly [event: string, ...args: unknown[]][] {
    return this.lines.flatMap(({ heard }) => (heard && heard[0] !== 'welcome' ? [heard] : []));
  }

  get answers(): readonly unknown[] {
    return this.lines.flatMap((line) => ('answered' in line ? [line.answered] : []));
  }

  /** Resolves when it has done so. */
  async say(command: Record<string, unknown>): Promise<void> {
    const done = () => this.lines.filter((line) => line.done || 'answered' in line).length;
    const before = done();
    this.#process.stdin?.write(`${JSON.stringify(command)}\n`);
    await this.until(`it to have done ${JSON.stringify(command)}`, () => done() > before);
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    await eventually(what, () => {
      if (this.#process.exitCode !== null) throw new Error(`Python ended:\n${this.#errors}`);
      return holds();
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#errors}`);
    });
  }

  /** All that it has said on its error output. */
  get errors(): string {
    return this.#errors;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}
