import { Backoff } from '../connection/backoff.ts';
import { HubError, mayRetry } from './errors.ts';

/** How long to wait for a reply, in milliseconds. */
export const replyTimeoutMs = 6_000;
/** On a network as slow as GPRS, each so many bytes of a request take a millisecond more. */
const bytesPerMs = 8;
/** If a connection ends so soon after a request, in milliseconds, the request may be the cause. */
const rightBehindMs = 2_000;

/** What a request of so many bytes may take beside `replyTimeoutMs`, in milliseconds. */
export function sendingMs(bytes: number): number {
  return bytes / bytesPerMs;
}

/** Whether the connection that ends now may end by a request. @param extraMs what its size may take, `sendingMs` */
export function isRightBehind(sentAt: number, extraMs: number): boolean {
  return Math.abs(Date.now() - sentAt) < rightBehindMs + extraMs;
}

/** The connection to a hub, as requests need it, whatever its protocol. */
export interface Caller {
  readonly connected: boolean;
  /** Calls a method once, on the current connection. @throws HubError; `NoReplyError` if the service did not reply */
  call<T>(method: string, request: object): Promise<T>;
  /** Runs tasks one at a time, to find out which of several requests ends the connection. */
  alone<T>(task: () => Promise<T>): Promise<T>;
}

/** The service did not reply. `refused` if nothing was sent, else `uncertain`. */
export class NoReplyError extends HubError {
  /** The service or the network ended the connection right after this request. */
  readonly endedConnection: boolean;

  constructor(code: 'refused' | 'uncertain', message: string, endedConnection = false) {
    super({ code, message });
    this.endedConnection = endedConnection;
  }
}

/**
 * So many connections may end right after one request. One of them may be due to the network, or to an instance that
 * leaves.
 */
const mostEnds = 3;

/**
 * The tries of one request. If the connection ends after it again and again, the request is given up, whatever the
 * cause: each repeat would interrupt all rooms of the client.
 */
export class Attempts {
  readonly #caller: Caller;
  #ends = 0;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  get areOver(): boolean {
    return this.#ends >= mostEnds;
  }

  /** @throws HubError */
  async call<T>(method: string, request: object): Promise<T> {
    const attempt = () => this.#caller.call<T>(method, request);
    try {
      // All requests that were under way when a connection ended are suspects. The last try of each runs alone, which
      // shows the cause.
      const isLast = this.#ends === mostEnds - 1;
      const reply = await (isLast ? this.#caller.alone(attempt) : attempt());
      this.#ends = 0;
      return reply;
    } catch (error) {
      if (!(error instanceof NoReplyError)) this.#ends = 0;
      else if (error.endedConnection) this.#ends += 1;
      throw error;
    }
  }
}

interface RetryOptions {
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
  caller: Caller,
  method: string,
  request: (ageMs: number) => object,
  { forMs, longestMs, isOver = () => false }: RetryOptions,
): Promise<T> {
  if (!(forMs >= 0 && forMs <= longestMs)) {
    const message = `forMs must be 0–${longestMs}, got ${forMs}: later, a repeat could be done a second time`;
    throw new HubError({ code: 'bad_request', message });
  }
  const attempts = new Attempts(caller);
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
