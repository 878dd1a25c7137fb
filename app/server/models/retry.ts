import { setTimeout as delay } from 'node:timers/promises';
import { ModelError } from './provider.ts';

/** So many tries in all; with the pauses between them a busy model is waited for about 4 s. */
const mostTries = 4;
const firstPauseMs = 500;

/**
 * Starts a stream again where the model was busy. Only before its first token: what was said can't be said
 * again, since nobody knows how another try would go on.
 */
export async function* retryBusy(
  start: () => AsyncIterable<string>,
  signal: AbortSignal,
): AsyncIterable<string> {
  for (let tries = 1; ; tries += 1) {
    let hasBegun = false;
    try {
      for await (const text of start()) {
        hasBegun = true;
        yield text;
      }
      return;
    } catch (error) {
      const isBusy = error instanceof ModelError && error.fault === 'busy';
      if (hasBegun || !isBusy || tries === mostTries) throw error;
    }
    await delay(firstPauseMs * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, { signal }).catch(() => {
      signal.throwIfAborted();
    });
  }
}
