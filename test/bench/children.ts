import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Answer, Call } from './answer-parent.ts';
import { builtEntry } from './build.ts';

/** A process of the bench, and the calls to it. */
export class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  /** @param entry under this folder, without its ending */
  constructor(
    entry: string,
    environment: Readonly<Record<string, string>> = {},
    nodeOptions: readonly string[] = [],
  ) {
    this.#process = fork(builtEntry(entry), {
      env: { PATH: process.env.PATH ?? '', ...environment },
      execArgv: [...nodeOptions],
      serialization: 'advanced',
      // Standard output is the table's.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#process.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    this.#process.once('exit', (code, signal) => this.#fail(`${entry} ended (${signal ?? code})`));
    killAtExit(this.#process);
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** @throws Error that the method threw there, or when the process ended before its answer */
  async ask<T>(method: string, argument?: unknown): Promise<T> {
    const id = this.#calls;
    this.#calls += 1;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    if (this.#process.connected) this.#process.send({ id, method, argument } satisfies Call);
    else this.#fail('the process has ended');
    const { result, fault } = await answered;
    this.#waiting.delete(id);
    if (fault !== undefined) throw new Error(fault);
    return result as T;
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
  }

  #fail(fault: string): void {
    for (const [id, settle] of this.#waiting) settle({ id, fault });
  }
}

const alive = new Set<ChildProcess>();

export function killAtExit(child: ChildProcess): void {
  alive.add(child);
  child.once('exit', () => alive.delete(child));
}

/** None outlives the bench, however it ends. */
export function killAllChildren(): void {
  for (const child of alive) child.kill('SIGKILL');
}
