import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Watchdog } from './watchdog.ts';

export type ProcessKind = 'instance' | 'redis' | 'livekit' | 'agent';
export type StreamName = 'stdout' | 'stderr';

/** What to start; it is asked for anew at each start. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  /** The port on which it answers operators. */
  readonly adminPort?: number;
  /** Text for its standard input: programs read there what must not be in the process list. */
  readonly input?: string;
}

export interface ManagedProcessOptions {
  readonly id: string;
  readonly kind: ProcessKind;
  /** @param lastPort the port of the last start, which is kept if it is free */
  readonly launch: (lastPort: number | undefined) => Promise<Launch>;
  readonly watchdog: Watchdog;
  /** After so many ends in a row, before it was ever ready, it is given up. @default 3 */
  readonly bootAttempts?: number | undefined;
}

export interface Death {
  /** Such as `code 1`, `SIGKILL` or `spawn ENOENT`. */
  readonly reason: string;
  readonly pid: number | undefined;
  /** Milliseconds until it is started again; undefined if it is given up. */
  readonly restartInMs: number | undefined;
}

interface ProcessEvents {
  /** Its process runs; it need not be ready. */
  started: [];
  /** Its process is gone, for whatever cause. */
  gone: [];
  died: [Death];
  line: [text: string, stream: StreamName];
}

const firstRestartMs = 100;
const longestRestartMs = 5_000;
/** Once it was ready for this long, its earlier deaths are forgotten. */
const steadyMs = 10_000;
const tailLines = 20;
/** A line of bundled code may have 100 KB. */
const tailCharacters = 400;

/** One process of the topology: started, watched, and started again when it dies. */
export class ManagedProcess extends EventEmitter<ProcessEvents> {
  readonly id: string;
  readonly kind: ProcessKind;
  /** The last lines that it wrote. */
  readonly tail: string[] = [];
  readonly #options: ManagedProcessOptions;
  #child?: ChildProcess;
  #port?: number;
  #adminPort?: number;
  #stopping = new AbortController();
  #deaths = 0;
  #everReady = false;
  #readySince?: number;

  constructor(options: ManagedProcessOptions) {
    super();
    this.id = options.id;
    this.kind = options.kind;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get port(): number | undefined {
    return this.#port;
  }

  get adminPort(): number | undefined {
    return this.#adminPort;
  }

  async start(): Promise<void> {
    const stopping = this.#stopping.signal;
    const launch = await this.#options.launch(this.#port).catch((error: Error) => error);
    if (stopping.aborted) return;
    if (launch instanceof Error) return this.#die(launch.message, undefined);
    this.#port = launch.port;
    this.#adminPort = launch.adminPort;
    // It has a process group of its own: Ctrl-C in the terminal reaches the parent alone, which ends all in order.
    const child = spawn(launch.command, launch.args, {
      env: launch.env,
      detached: true,
      stdio: [launch.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    if (child.pid !== undefined) this.#options.watchdog.watch(child.pid);
    this.#follow(child);
    child.stdin?.on('error', () => {}).end(launch.input);
    this.emit('started');
  }

  /** Records that it does its work; whoever can judge that calls it. */
  markReady(): void {
    this.#everReady = true;
    this.#readySince ??= performance.now();
  }

  /** Sends SIGTERM, and after `graceMs` milliseconds SIGKILL. It is not started again. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const child = this.#child;
    if (!child || hasEnded(child)) return;
    const exited = once(child, 'exit');
    this.signal('SIGTERM');
    // A process that was stopped by SIGSTOP receives no other signal before this one.
    this.signal('SIGCONT');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    await exited;
    clearTimeout(timer);
  }

  /** From now on it is not started again when it ends. */
  retire(): void {
    this.#stopping.abort();
  }

  /** Starts it after `stop()`. */
  async startAgain(): Promise<void> {
    this.#stopping = new AbortController();
    this.#deaths = 0;
    await this.start();
  }

  /** Sends SIGKILL. It is started again, as after a crash. */
  kill(): void {
    this.signal('SIGKILL');
  }

  signal(signal: NodeJS.Signals): void {
    const child = this.#child;
    if (child?.pid === undefined || hasEnded(child)) return;
    signalGroup(child.pid, signal);
  }

  #follow(child: ChildProcess): void {
    this.#read(child.stdout, 'stdout');
    this.#read(child.stderr, 'stderr');
    child.once('error', (error) => void this.#onGone(child, error.message));
    child.once('exit', (code, signal) => {
      if (child.pid !== undefined) {
        signalGroup(child.pid, 'SIGKILL');
        this.#options.watchdog.unwatch(child.pid);
      }
      void this.#onGone(child, signal ?? `code ${code}`);
    });
  }

  #read(stream: Readable | null, name: StreamName): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (text) => {
      this.tail.push(text.slice(0, tailCharacters));
      if (this.tail.length > tailLines) this.tail.shift();
      this.emit('line', text, name);
    });
  }

  async #onGone(child: ChildProcess, reason: string): Promise<void> {
    if (this.#child !== child) return;
    const { pid } = child;
    const stopping = this.#stopping.signal;
    this.#child = undefined;
    this.emit('gone');
    if (stopping.aborted) return;
    // Its last lines may still be in the pipes.
    await Promise.race([once(child, 'close'), delay(200)]);
    if (!stopping.aborted) this.#die(reason, pid);
  }

  #die(reason: string, pid: number | undefined): void {
    const restartInMs = this.#nextRestart();
    this.emit('died', { reason, pid, restartInMs });
    if (restartInMs !== undefined) this.#restartIn(restartInMs);
  }

  #restartIn(ms: number): void {
    delay(ms, undefined, { signal: this.#stopping.signal })
      .then(() => this.start())
      .catch(() => {});
  }

  #nextRestart(): number | undefined {
    const readyMs = this.#readySince === undefined ? 0 : performance.now() - this.#readySince;
    this.#readySince = undefined;
    this.#deaths = readyMs >= steadyMs ? 1 : this.#deaths + 1;
    const { bootAttempts = 3 } = this.#options;
    if (!this.#everReady && this.#deaths >= bootAttempts) return undefined;
    return restartDelayMs(this.#deaths);
  }
}

/** The wait before the start that follows the nth death in a row, in milliseconds. */
export function restartDelayMs(deaths: number): number {
  return Math.min(longestRestartMs, firstRestartMs * 2 ** (deaths - 1));
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended before.
  }
}
