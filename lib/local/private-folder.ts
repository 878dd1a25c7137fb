import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Guard } from './guard.ts';

/** A temporary folder for its owner alone, which goes away with the topology. */
export class PrivateFolder {
  readonly path: string;

  constructor(guard: Guard) {
    // Its mode is 0700.
    this.path = mkdtempSync(join(tmpdir(), 'realtime-stack-'));
    guard.removeLater(this.path);
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
