import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Part } from '../../../app/build/parts.mjs';
import type { Watchdog } from '../processes/watchdog.ts';

export interface BuildsOptions {
  /** The folder of the service, its client and its page. */
  readonly app: string;
  /** Ends a build, and removes what was built, with this process. */
  readonly watchdog: Watchdog;
}

export interface Build {
  readonly parts: readonly Part[];
  /** Of the service: that of an earlier build if nothing is new in it, undefined if it was not built. */
  readonly entry: string | undefined;
}

/** A build failed; the message is what the compiler printed. */
export class BuildFailure extends Error {}

/**
 * Builds the service and its page. Each build of the service has a folder of its own: an instance that dies gets the
 * build that it had, whatever became of the sources. The page is replaced in its place, where all instances find it.
 */
export class Builds {
  readonly #options: BuildsOptions;
  /** A build's folders have it in their names, so that a later build removes them if nobody else could. */
  readonly #prefix = `.dist-${process.pid}-`;
  /** What changed since it was built: a part that did not build is built again, whatever changes next. */
  readonly #stale = new Set<Part>();
  /** It lives on between builds, since it then has to read again only what changed. */
  #builder?: ChildProcess;

  constructor(options: BuildsOptions) {
    this.#options = options;
  }

  /**
   * @param signal ends the build
   * @throws BuildFailure
   */
  async build(changed: readonly Part[], signal: AbortSignal): Promise<Build> {
    for (const part of changed) this.#stale.add(part);
    const parts = [...this.#stale];
    const next = this.#folder('next');
    await this.#run([...parts, '--server-into', next], signal);
    this.#stale.clear();
    return { parts, entry: parts.includes('server') ? this.#keep(next) : undefined };
  }

  /** Ends a build that is under way. */
  close(): void {
    const { pid } = this.#builder ?? {};
    if (pid !== undefined) endGroup(pid);
    this.#builder = undefined;
  }

  /** Removes the builds of the service that are none of `entries`. */
  prune(entries: ReadonlySet<string>): void {
    const used = new Set([...entries].map((entry) => dirname(dirname(entry))));
    for (const name of readdirSync(this.#options.app)) {
      const folder = join(this.#options.app, name);
      if (name.startsWith(this.#prefix) && !used.has(folder))
        rmSync(folder, { recursive: true, force: true });
    }
  }

  #keep(next: string): string {
    const folder = this.#folder(contentHash(join(next, 'server')));
    if (existsSync(folder)) {
      rmSync(next, { recursive: true });
    } else {
      renameSync(next, folder);
      // The service serves the page that is beside it.
      symlinkSync('../dist/page', join(folder, 'page'));
    }
    return join(folder, 'server/main.js');
  }

  /** It stands beside `dist`: the maps in a build name its sources by the way from there. */
  #folder(name: string): string {
    const folder = join(this.#options.app, this.#prefix + name);
    this.#options.watchdog.removeLater(folder);
    return folder;
  }

  /** @throws BuildFailure with what is wrong */
  async #run(args: readonly string[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#builder ??= this.#start();
    const builder = this.#builder;
    const end = () => this.close();
    signal.addEventListener('abort', end, { once: true });
    const over = new AbortController();
    try {
      const answered = once(builder, 'message', { signal: over.signal });
      const ended = once(builder, 'exit', { signal: over.signal }).then(([code, by]) => [
        { failure: `the build ended: ${by ?? `code ${code}`}` },
      ]);
      for (const either of [answered, ended]) either.catch(() => {});
      builder.send(args);
      const [{ failure }] = await Promise.race([answered, ended]);
      signal.throwIfAborted();
      if (failure !== undefined) throw new BuildFailure(failure);
    } finally {
      over.abort();
      signal.removeEventListener('abort', end);
    }
  }

  /** It leads a group, which its compilers are in. */
  #start(): ChildProcess {
    const { app, watchdog } = this.#options;
    const builder = fork('build/again.mjs', { cwd: app, detached: true, execArgv: [], stdio: 'ignore' });
    const { pid } = builder;
    if (pid !== undefined) watchdog.watch(pid);
    builder.on('exit', () => {
      if (pid !== undefined) watchdog.unwatch(pid);
      if (this.#builder === builder) this.#builder = undefined;
    });
    // The exit code says whether it failed.
    builder.on('error', () => {});
    return builder;
  }
}

/** Of what an instance runs: `main.js` names its chunks by their contents. */
function contentHash(server: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(server, { recursive: true, encoding: 'utf8' }).sort();
  for (const file of files.filter((name) => name === 'main.js' || name.endsWith('.lua'))) {
    hash.update(`${file}\0`).update(readFileSync(join(server, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It ended before.
  }
}
