import type { Part } from './part.ts';
import { diedAtBoot, notReady, readyMs, StartError } from './start-error.ts';

/**
 * Waits for a part.
 * @param ready resolves when it is ready; its signal ends with the wait
 * @throws StartError when the part is given up, takes too long, or everything is stopped meanwhile
 */
export async function settled(
  part: Part,
  stopped: AbortSignal,
  ready: (over: AbortSignal) => Promise<void>,
): Promise<void> {
  if (stopped.aborted) throw new StartError('stopped');
  const over = new AbortController();
  const failed = new Promise<never>((_resolve, reject) => {
    const onDied = ({ reason, restartInMs }: { reason: string; restartInMs: number | undefined }) => {
      if (restartInMs === undefined) reject(new StartError(diedAtBoot(part, reason)));
    };
    const onStopped = () => reject(new StartError('stopped'));
    const timer = setTimeout(() => reject(new StartError(notReady(part))), readyMs);
    part.on('died', onDied);
    stopped.addEventListener('abort', onStopped, { once: true });
    over.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      part.off('died', onDied);
      stopped.removeEventListener('abort', onStopped);
    });
  });
  try {
    await Promise.race([ready(over.signal), failed]);
  } finally {
    over.abort();
  }
}
