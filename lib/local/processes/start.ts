import type { ManagedProcess, ProcessKind } from './managed-process.ts';

/** The topology can't start; the message has the cause and the fix. */
export class StartError extends Error {}

export function noEntry(entry: string, isDefault: boolean): string {
  const fix = isDefault
    ? 'Run `npm run setup`, which builds it.'
    : 'Give --entry the path of a JavaScript file.';
  return `The service is not there: ${entry}\n${fix}`;
}

export function cannotListen(port: number, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') {
    return `Port ${port} is taken by another program. Give --port a free one, or leave it out to have one chosen.`;
  }
  if (code === 'EACCES')
    return `Port ${port} needs privileges that this user lacks. Give --port one above 1023.`;
  return `The load balancer can't listen on port ${port}: ${message}. Give --port another one.`;
}

/** A process that is not ready after so many milliseconds counts as hung. */
const readyMs = 60_000;

const generalFix =
  'Mend what they report and start again; --verbose shows every line that the processes log.';
const fixes: Partial<Record<ProcessKind, string>> = {
  redis: 'Mend what they report, or start its program by hand to see more.',
  livekit: 'Mend what they report, or start without LiveKit: --livekit 0',
  agent: 'Mend what they report, or start without it: --no-agent',
};

/**
 * Waits until a process is ready.
 * @param ready resolves when it is; its signal is aborted when the wait is over
 * @throws StartError when the process is given up or takes too long, or when everything is stopped meanwhile
 */
export async function untilReady(
  managed: ManagedProcess,
  stopped: AbortSignal,
  ready: (over: AbortSignal) => Promise<void>,
): Promise<void> {
  if (stopped.aborted) throw new StartError('stopped');
  const over = new AbortController();
  const failed = new Promise<never>((_resolve, reject) => {
    const onDied = ({ reason, restartInMs }: { reason: string; restartInMs: number | undefined }) => {
      if (restartInMs === undefined) reject(new StartError(diedAtBoot(managed, reason)));
    };
    const onStopped = () => reject(new StartError('stopped'));
    const timer = setTimeout(() => reject(new StartError(notReady(managed))), readyMs);
    managed.on('died', onDied);
    stopped.addEventListener('abort', onStopped, { once: true });
    over.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      managed.off('died', onDied);
      stopped.removeEventListener('abort', onStopped);
    });
  });
  try {
    await Promise.race([ready(over.signal), failed]);
  } finally {
    over.abort();
  }
}

function diedAtBoot(managed: ManagedProcess, reason: string): string {
  return [
    `${managed.id} ended before it was ready (${reason}). Its last lines:`,
    ...lastLines(managed),
    fixes[managed.kind] ?? generalFix,
  ].join('\n');
}

function notReady(managed: ManagedProcess): string {
  return [
    `${managed.id} runs (pid ${managed.pid ?? 'none'}) but was not ready within ${readyMs / 1000} s. Its last lines:`,
    ...lastLines(managed),
    generalFix,
  ].join('\n');
}

function lastLines({ tail }: ManagedProcess): string[] {
  return tail.length > 0 ? tail.map((line) => `  | ${line}`) : ['  | (none)'];
}
