import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./reaper.mjs', import.meta.url));

/**
 * Makes sure that nothing outlives this process: a reaper, which is a process of its own, knows what this one started,
 * and ends it as soon as this one is gone, however it went.
 */
export class Watchdog {
  readonly #lines = new Set<string>();
  #reaper?: ChildProcess;
  #closed = false;

  constructor() {
    this.#start();
  }

  /** The reaper's process id. */
  get pid(): number | undefined {
    return this.#reaper?.pid;
  }

  /** Ends this process group, or process, when this one is gone; at once if the watchdog was closed before. */
  watch(group: number): void {
    if (this.#closed) endGroup(group);
    else this.#send(`+${group}`);
  }

  unwatch(group: number): void {
    this.#lines.delete(`+${group}`);
    this.#reaper?.stdin?.write(`-${group}\n`);
  }

  /** Removes this file, or folder with all in it, when this process is gone. */
  removeLater(file: string): void {
    this.#send(`file ${file}`);
  }

  /** Lets the reaper end what it still watches, and then itself. */
  close(): void {
    this.#closed = true;
    this.#reaper?.stdin?.end();
  }

  #send(line: string): void {
    this.#lines.add(line);
    this.#reaper?.stdin?.write(`${line}\n`);
  }

  #start(): void {
    const reaper = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {},
    });
    reaper.on('error', () => {});
    reaper.stdin.on('error', () => {});
    reaper.on('exit', () => {
      if (!this.#closed) setTimeout(() => this.#closed || this.#start(), 100).unref();
    });
    reaper.unref();
    (reaper.stdin as Socket).unref();
    this.#reaper = reaper;
    for (const line of this.#lines) reaper.stdin.write(`${line}\n`);
  }
}

function endGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It ended before.
  }
}

/** A temporary folder that its owner alone can read, and that is removed with the topology. */
export class PrivateFolder {
  readonly path: string;

  constructor(watchdog: Watchdog) {
    // Its mode is 0700.
    this.path = mkdtempSync(join(tmpdir(), 'realtime-stack-'));
    watchdog.removeLater(this.path);
  }

  /** @returns the file's path */
  write(name: string, text: string): string {
    const file = join(this.path, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
