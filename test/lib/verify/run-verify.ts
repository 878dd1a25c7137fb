import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Secrets } from '../../../lib/verify/arguments.ts';
import type { Result } from '../../../lib/verify/run-check.ts';
import { verify } from '../../../lib/verify/verify.ts';

export interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

export interface RunOptions {
  readonly stateFolder: string;
  /** @default it is not interrupted */
  readonly signal?: AbortSignal;
  /** @default none */
  readonly secrets?: Secrets;
  /** Called with all that the error output has by now. */
  onErrors?(text: string): unknown;
}

/** Runs the command in this process. */
export async function runVerify(
  words: readonly string[],
  { stateFolder, signal, secrets, onErrors }: RunOptions,
): Promise<Outcome> {
  let output = '';
  let errors = '';
  const code = await verify(words, {
    output: {
      write: (text) => {
        output += text;
      },
    },
    errors: {
      write: (text) => {
        errors += text;
        onErrors?.(errors);
      },
    },
    signal: signal ?? new AbortController().signal,
    stateFolder,
    ...(secrets && { secrets }),
  });
  return { code, output, errors };
}

/** The checks' results by name, from `--json`. */
export function resultsOf({ output }: Outcome): Record<string, Result> {
  const { checks } = JSON.parse(output) as { checks: Result[] };
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

/** A folder for state files, away from the topologies that run beside the tests. */
export function stateFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'realtime-verify-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
