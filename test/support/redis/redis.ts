import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../lib/local/processes/ports.ts';
import { findRedis } from '../../../lib/local/programs.mjs';
import { eventually } from '../wait.ts';

/** A real Redis server of a test's own. */
export interface TestRedis {
  readonly port: number;
  readonly url: string;
  readonly process: ChildProcess;
  /** SIGKILL, and its folder removed. */
  stop(): Promise<void>;
}

/** The server that the set-up found or installed. */
export const redisBinary = findRedis() ?? missing();

/**
 * @param options passed as they are, for example `['--requirepass', 'x']`
 * @param binary another server than the one that the set-up found
 */
export async function startRedis(
  options: readonly string[] = [],
  port?: number,
  binary = redisBinary,
): Promise<TestRedis> {
  const chosen = port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'realtime-redis-'));
  const fixed = [
    '--port',
    String(chosen),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const child = spawn(binary, [...fixed, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout?.on('data', (data) => {
    output += data;
  });
  await eventually(`Redis on ${chosen} to accept connections`, () => {
    if (child.exitCode !== null) throw new Error(`Redis ended at start:\n${output}`);
    return output.includes('Ready to accept connections');
  });
  return {
    port: chosen,
    url: `redis://127.0.0.1:${chosen}`,
    process: child,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function missing(): never {
  throw new Error('no valkey-server or redis-server on the PATH: run `npm run setup`, which installs one');
}
