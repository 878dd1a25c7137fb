import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Watchdog } from './watchdog.ts';

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
