import { Backoff } from '../connection/backoff.ts';
import type { HubSocket } from '../connection/connect.ts';
import { Attempts } from './attempts.ts';
import { HubError, mayRetry } from './errors.ts';

export interface RetryOptions {
  /** How long to try, in milliseconds. */
  readonly forMs: number;
  /** The longest that `forMs` may be. After that, a repeat could be executed a second time. */
  readonly longestMs: number;
  /** Whether nobody waits for the result any more. @default somebody does */
  readonly isOver?: () => boolean;
}

/**
 * Calls a method until the service replies: through lost connections, changes of instance, an expired token, and while
 * Redis is away. It must be safe to repeat the request.
 *
 * @param request gets the milliseconds since the first try
 * @throws HubError `refused`: not executed. `uncertain`: it may be executed. With others, such as `forbidden`, another
 *   try would not help. `bad_request` also if `forMs` is out of range
 */
export async function callUntilAvailable<T>(
  socket: HubSocket,
  method: string,
  request: (ageMs: number) => object,
  { forMs, longestMs, isOver = () => false }: RetryOptions,
): Promise<T> {
  if (!(forMs >= 0 && forMs <= longestMs)) {
    const message = `forMs must be 0–${longestMs}, got ${forMs}: later, a repeat could be done a second time`;
    throw new HubError({ code: 'bad_request', message });
  }
  const attempts = new Attempts(socket);
  const backoff = new Backoff();
  const stopwatch = new Stopwatch();
  let mayBeDone = false;
  for (;;) {
    try {
      return await attempts.call<T>(method, request(stopwatch.read()));
    } catch (error) {
      if (!(error instanceof HubError) || !mayRetry(error.code)) throw error;
      mayBeDone ||= error.code === 'uncertain';
      const code = mayBeDone ? 'uncertain' : 'refused';
      if (attempts.areOver) {
        throw new HubError({
          code,
          message: `given up: the connection ended right behind ${method} each time`,
        });
      }
      const giveUp = () => {
        throw new HubError({ code, message: error.message });
      };
      if (isOver() || stopwatch.read() > forMs) giveUp();
      await backoff.pause();
      // The machine may have slept longer than the service remembers the request.
      if (stopwatch.read() > longestMs) giveUp();
    }
  }
}

/** Measures elapsed time including sleep, which monotonic clocks leave out. It ignores a clock that is set back. */
class Stopwatch {
  #elapsedMs = 0;
  #readAt = Date.now();

  /** @returns milliseconds */
  read(): number {
    const now = Date.now();
    this.#elapsedMs += Math.max(0, now - this.#readAt);
    this.#readAt = now;
    return this.#elapsedMs;
  }
}
