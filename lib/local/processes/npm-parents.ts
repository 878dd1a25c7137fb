import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

interface Process {
  readonly parent: number;
  /** The program's name without its folder. */
  readonly name: string;
}

/**
 * Finds the processes whose end means that npm is gone, for a program that npm started. Its parent is npm, or the shell
 * in which npm runs its scripts; npm is then the parent of that shell.
 * @returns their process ids
 */
export function npmParents(parent = process.ppid): number[] {
  const shell = look(parent);
  return shell && /^(ba|da|z|k|a)?sh$/.test(shell.name) && shell.parent > 1
    ? [parent, shell.parent]
    : [parent];
}

function look(pid: number): Process | undefined {
  try {
    // `<pid> (<name>) <state> <parent> …`; the name may hold blanks and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    return {
      name: stat.slice(stat.indexOf('(') + 1, end),
      parent: Number(stat.slice(end + 2).split(' ')[1]),
    };
  } catch {
    return askPs(pid);
  }
}

/** macOS has no /proc. */
function askPs(pid: number): Process | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], {
      encoding: 'utf8',
      timeout: 1_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [, parent, path = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    return parent
      ? { parent: Number(parent), name: path.split('/').at(-1)?.replace(/^-/, '') ?? '' }
      : undefined;
  } catch {
    return undefined;
  }
}
