/**
 * The reaper: it ends the process groups that are left when the topology's own process is gone, however that went,
 * SIGKILL included, and removes its files.
 *
 * It reads lines from its standard input: `+<pid>` and `-<pid>` for process groups, or processes that lead none, and
 * `file <path>` for a file or a folder. The input ends when its parent does. It has no dependencies, so that it starts at
 * once.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The time from SIGTERM to SIGKILL, in milliseconds. */
const graceMs = 500;
const groups = new Set();
const files = new Set();

// The parent answers a Ctrl-C in the terminal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line.startsWith('+')) groups.add(Number(line.slice(1)));
    else if (line.startsWith('-')) groups.delete(Number(line.slice(1)));
    else if (line.startsWith('file ')) files.add(line.slice(5));
  })
  .on('close', () => {
    signalAll('SIGTERM');
    if (groups.size > 0) setTimeout(endAll, graceMs);
    else removeFiles();
  });

function endAll() {
  signalAll('SIGKILL');
  removeFiles();
}

/** Comes last, since the processes write until they end. */
function removeFiles() {
  for (const file of files) rmSync(file, { recursive: true, force: true, maxRetries: 5 });
}

function signalAll(signal) {
  for (const pid of groups) if (!signalTo(-pid, signal) && !signalTo(pid, signal)) groups.delete(pid);
}

function signalTo(target, signal) {
  try {
    return process.kill(target, signal);
  } catch {
    return false;
  }
}
