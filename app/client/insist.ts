import { Backoff } from './backoff.ts';
import { call } from './call.ts';
import type { HubSocket } from './connect.ts';
import { HubError, mayRetry } from './errors.ts';

export interface InsistOptions {
  /** How long to try, in milliseconds. */
  readonly forMs: number;
  /** Nobody waits for it any more. @default somebody does */
  readonly isOver?: () => boolean;
}

/**
 * Calls a method until it is answered: through a lost connection, another instance, a Redis that was away. The
 * request must be one that may come twice.
 *
 * @throws HubError `refused`: not done. `uncertain`: it may be. Others, such as `forbidden`: no use trying
 */
export async function insistOn<T>(
  socket: HubSocket,
  method: string,
  request: object,
  { forMs, isOver = () => false }: InsistOptions,
): Promise<T> {
  const deadline = Date.now() + forMs;
  const backoff = new Backoff();
  let mayBeDone = false;
  for (;;) {
    try {
      return await call<T>(socket, method, request);
    } catch (error) {
      const { code, message } = error as HubError;
      mayBeDone ||= code === 'uncertain';
      if (!mayRetry(code)) throw error;
      if (isOver() || Date.now() > deadline) {
        throw new HubError({ code: mayBeDone ? 'uncertain' : 'refused', message });
      }
      await backoff.pause();
    }
  }
}
