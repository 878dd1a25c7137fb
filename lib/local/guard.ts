import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./guardian.mjs', import.meta.url));

/** This process's end of the guardian: it is told what to end should this process vanish. */
export class Guard {
  readonly #lines = new Set<string>();
  #guardian?: ChildProcess;
  #closed = false;

  constructor() {
    this.#start();
  }

  /** The guardian's process id. */
  get pid(): number | undefined {
    return this.#guardian?.pid;
  }

  /** Ends this process group if it is left; at once if it was started when all else had ended. */
  watch(group: number): void {
    if (this.#closed) endGroup(group);
    else this.#tell(`+${group}`);
  }

  unwatch(group: number): void {
    this.#lines.delete(`+${group}`);
    this.#guardian?.stdin?.write(`-${group}\n`);
  }

  /** Removes this file, or folder with all in it, if it is left. */
  removeLater(file: string): void {
    this.#tell(`file ${file}`);
  }

  /** Lets it go: it ends what it still watches, and then itself. */
  close(): void {
    this.#closed = true;
    this.#guardian?.stdin?.end();
  }

  #tell(line: string): void {
    this.#lines.add(line);
    this.#guardian?.stdin?.write(`${line}\n`);
  }

  #start(): void {
    const guardian = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {},
    });
    guardian.on('error', () => {});
    guardian.stdin.on('error', () => {});
    guardian.on('exit', () => {
      if (!this.#closed) setTimeout(() => this.#closed || this.#start(), 100).unref();
    });
    guardian.unref();
    this.#guardian = guardian;
    for (const line of this.#lines) guardian.stdin.write(`${line}\n`);
  }
}

function endGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
