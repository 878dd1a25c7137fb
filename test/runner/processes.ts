import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { Watchdog } from '../../lib/local/processes/watchdog.ts';

/** Process ids. A process that leads a group stays until all of its group have ended. */
const running = new Set<number>();

/** Ends whatever runs, and removes the folders, should this process vanish. */
export const watchdog = new Watchdog();

/** From now on every process that this one starts is known here, whichever module starts it. */
export function watchProcesses(): void {
  subscribe('child_process', (message) => {
    const { process: child } = message as { process: ChildProcess };
    child.once('spawn', () => watch(child));
  });
}

/** Ends what has not ended by itself. */
export function endProcesses(): void {
  for (const pid of running) {
    for (const target of [-pid, pid]) signal(target, 'SIGKILL');
    forget(pid);
  }
}

function watch(child: ChildProcess): void {
  const { pid } = child as { pid: number };
  if (pid === watchdog.pid) return;
  running.add(pid);
  watchdog.watch(pid);
  child.once('exit', () => {
    const leadsOthers = signal(-pid, 0);
    if (!leadsOthers) forget(pid);
  });
}

function forget(pid: number): void {
  running.delete(pid);
  watchdog.unwatch(pid);
}

/** @returns whether there was a process, or with a negative number a group, to get it */
function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name);
  } catch {
    return false;
  }
}
