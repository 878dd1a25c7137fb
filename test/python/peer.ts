import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from '../support/wait.ts';

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
