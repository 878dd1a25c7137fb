/**
 * Ends what is left when the topology's own process is gone, however it went, SIGKILL included.
 *
 * It reads lines from its standard input, `+<pid>` and `-<pid>` for process groups and `file <path>` for a file or a
 * folder to remove. The input ends when its parent does. It has no dependencies and starts at once.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Between asking and killing, in milliseconds. */
const graceMs = 500;
const groups = new Set();
const files = new Set();

// A Ctrl-C in the terminal is its parent's to answer.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line.startsWith('+')) groups.add(Number(line.slice(1)));
    else if (line.startsWith('-')) groups.delete(Number(line.slice(1)));
    else if (line.startsWith('file ')) files.add(line.slice(5));
  })
  .on('close', () => {
    for (const file of files) rmSync(file, { recursive: true, force: true });
    signalAll('SIGTERM');
    if (groups.size > 0) setTimeout(() => signalAll('SIGKILL'), graceMs);
  });

function signalAll(signal) {
  for (const group of groups) {
    try {
      process.kill(-group, signal);
    } catch {
      groups.delete(group);
    }
  }
}
