import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 20;

export interface Patience {
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Waits until `holds` returns true. Returns false if the time is up.
 * @throws the signal's reason if it is aborted
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { timeoutMs, signal }: Patience,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    signal.throwIfAborted();
    if (performance.now() > deadline) return false;
    await delay(pollMs);
  }
  return true;
}

/** Rejects as soon as the signal is aborted, even if the work goes on. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Rejects with `words` if the time is up before the work is done. */
export async function within<T>(work: Promise<T>, timeoutMs: number, words: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(words)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
