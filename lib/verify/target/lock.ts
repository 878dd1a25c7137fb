import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../../local/state.ts';
import { CannotVerifyError } from '../errors.ts';

/** A run takes a minute or two. One that takes longer than this hangs; in milliseconds. */
const longestWaitMs = 600_000;
const lookEveryMs = 200;

export interface LockOptions {
  /** Where topologies on this machine keep their state files. */
  readonly folder: string;
  /** The topology's address. */
  readonly url: string;
  readonly signal: AbortSignal;
  /** Called once if it has to wait. */
  onWait(pid: number): void;
}

/**
 * Lets only one run at a time verify a topology on this machine: each kills instances, which would disturb the others.
 *
 * @returns releases the lock
 * @throws CannotVerifyError if the other run does not end, the signal's reason if it is aborted
 */
export async function lockTopology({ folder, url, signal, onWait }: LockOptions): Promise<() => void> {
  const file = join(folder, `verify-${new URL(url).port}.lock`);
  const own = `${process.pid} ${randomBytes(8).toString('hex')}`;
  mkdirSync(folder, { recursive: true });
  const deadline = performance.now() + longestWaitMs;
  let isWaiting = false;
  while (!create(file, own) && !(await takeOver(file, own))) {
    signal.throwIfAborted();
    const pid = ownerOf(file);
    if (performance.now() > deadline) throw busy(pid, file);
    if (!isWaiting && pid !== undefined) onWait(pid);
    isWaiting ||= pid !== undefined;
    await delay(lookEveryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  return () => {
    if (contentOf(file) === own) rmSync(file, { force: true });
  };
}

function create(file: string, own: string): boolean {
  try {
    writeFileSync(file, own, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Another run may do the same at this moment. The last one gets the lock. */
const takeoverMs = 50;

/** Whether the lock is of a process that has ended. */
async function takeOver(file: string, own: string): Promise<boolean> {
  if (ownerOf(file) !== undefined) return false;
  const next = `${file}.${own.replace(' ', '-')}`;
  writeFileSync(next, own);
  renameSync(next, file);
  await delay(takeoverMs);
  return contentOf(file) === own;
}

/** Undefined if its process has ended, or there is no lock. */
function ownerOf(file: string): number | undefined {
  const pid = Number.parseInt(contentOf(file) ?? '', 10);
  return pid > 0 && isAlive(pid) ? pid : undefined;
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function busy(pid: number | undefined, file: string): CannotVerifyError {
  return new CannotVerifyError(
    'busy',
    `Another verify (process ${pid ?? 'unknown'}) has verified this topology for ${longestWaitMs / 60_000} minutes and does not end. End it, or remove ${file} if no such process is a verify.`,
  );
}
