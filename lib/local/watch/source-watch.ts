import { relative } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { partsMadeFrom } from '../../../app/build/parts.mjs';
import { seconds } from '../screen.ts';
import { BuildFailure, Builds, type BuildsOptions } from './builds.ts';

export interface SourceWatchOptions extends BuildsOptions {
  /**
   * Replaces all instances by ones of this build; rejects if it does not boot. The signal ends it: there is a newer
   * change. `onServing` is called with the id of each that takes clients.
   */
  readonly rollOut: (
    entry: string,
    superseded: AbortSignal,
    onServing: (id: string) => void,
  ) => Promise<void>;
  /** The entries that instances have now. */
  readonly entriesInUse: () => ReadonlySet<string>;
  readonly print: (line: string) => void;
}

const titles = { server: 'the service', page: 'the page', library: 'the library' };
/** Editors save several files one after the other, and some in several steps. */
const debounceMs = 80;

/**
 * Builds each saved change of the service or its page, and rolls it out.
 *
 * chokidar sees the changes: on Linux Node's own `fs.watch(…, { recursive: true })` sees a file no more once an editor
 * has replaced it, which most do at each save.
 */
export class SourceWatch {
  readonly #options: SourceWatchOptions;
  readonly #builds: Builds;
  readonly #closed = new AbortController();
  readonly #changed = new Set<string>();
  #watcher?: FSWatcher;
  #superseded = new AbortController();
  #timer?: NodeJS.Timeout;
  #savedAt = 0;
  #isWorking = false;
  /** The service's last build, until all instances have it: a change of the page alone may end its roll-out. */
  #pending: string | undefined;

  constructor(options: SourceWatchOptions) {
    this.#options = options;
    this.#builds = new Builds(options);
  }

  /** Resolves when it sees changes. */
  async start(): Promise<void> {
    const { app, print } = this.#options;
    const isIgnored = (path: string) => partsMadeFrom(relative(app, path)).length === 0;
    const watcher = watch(app, { ignoreInitial: true, ignored: isIgnored });
    this.#watcher = watcher;
    for (const event of ['add', 'change', 'unlink'] as const) {
      watcher.on(event, (path) => this.#onChange(relative(app, path)));
    }
    watcher.on('error', (error) => print(unseen(error as NodeJS.ErrnoException)));
    await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
    void this.#buildAhead();
  }

  /** The first build takes twice the time of all others, which nobody waits for here. */
  async #buildAhead(): Promise<void> {
    this.#isWorking = true;
    // A fault is reported when the file is saved.
    await this.#builds.build(['server'], this.#closed.signal).catch(() => {});
    if (this.#closed.signal.aborted) return;
    this.#builds.prune(this.#options.entriesInUse());
    this.#isWorking = false;
    await this.#work();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#superseded.abort();
    this.#builds.close();
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  #onChange(path: string): void {
    if (/^package(-lock)?\.json$/.test(path)) {
      this.#options.print(`watch: ${path} changed: stop and start again, which installs its packages`);
      return;
    }
    this.#changed.add(path);
    this.#savedAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#work(), debounceMs);
  }

  /** One build at a time; a newer change ends the build or the roll-out that is under way. */
  async #work(): Promise<void> {
    this.#superseded.abort();
    if (this.#isWorking) return;
    this.#isWorking = true;
    while (this.#changed.size > 0 && !this.#closed.signal.aborted) {
      const paths = [...this.#changed];
      this.#changed.clear();
      this.#superseded = new AbortController();
      await this.#deliver(paths, this.#superseded.signal);
    }
    this.#isWorking = false;
  }

  async #deliver(paths: readonly string[], superseded: AbortSignal): Promise<void> {
    const { print, rollOut, entriesInUse } = this.#options;
    const savedAt = this.#savedAt;
    const sinceSave = () => `${seconds(performance.now() - savedAt)} after the save`;
    const [first, ...others] = paths;
    print(`watch: ${first}${others.length > 0 ? ` and ${others.length} more` : ''} changed`);
    try {
      this.#pending = (await this.#build(paths, superseded)) ?? this.#pending;
      if (this.#pending === undefined) return;
      await rollOut(this.#pending, superseded, (id) =>
        print(`watch: ${id} serves the new build, ${sinceSave()}`),
      );
      if (superseded.aborted) return;
      this.#pending = undefined;
      print(`watch: all instances have this build, ${sinceSave()}`);
    } catch (error) {
      if (superseded.aborted) return;
      if (!(error instanceof BuildFailure)) this.#pending = undefined;
      const reason = error instanceof BuildFailure ? 'it does not build' : 'the new build does not start';
      print(`watch: ${reason}; the instances go on\n${indented((error as Error).message)}`);
    } finally {
      const pending = this.#pending === undefined ? [] : [this.#pending];
      if (!this.#closed.signal.aborted) this.#builds.prune(new Set([...entriesInUse(), ...pending]));
    }
  }

  async #build(paths: readonly string[], superseded: AbortSignal): Promise<string | undefined> {
    const start = performance.now();
    // Nobody imports the library from a running topology.
    const changed = paths.flatMap(partsMadeFrom).filter((part) => part !== 'library');
    const { parts, entry } = await this.#builds.build(changed, superseded);
    const what = parts.map((part) => titles[part]).join(' and ');
    this.#options.print(`watch: built ${what} in ${seconds(performance.now() - start)}`);
    return entry;
  }
}

function unseen({ code, message }: NodeJS.ErrnoException): string {
  const isLimit = code === 'ENOSPC' || code === 'EMFILE';
  const fix = isLimit ? '. Raise the limit: sudo sysctl fs.inotify.max_user_watches=524288' : '';
  return `watch: some changes go unseen: ${message}${fix}`;
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  | ${line}`)
    .join('\n');
}
