import { setTimeout as delay } from 'node:timers/promises';
import { RefusedError, UncertainError } from '../rooms/log/log.ts';

const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * Tries until the log has answered: through a Redis that stalls, fails over or is full. What is tried must be
 * fit to be repeated.
 *
 * @throws what the signal was aborted with; what is no matter of the log's being away
 */
export async function retryUntilAvailable<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RefusedError || error instanceof UncertainError)) throw error;
    }
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 10));
    await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    );
  }
}
