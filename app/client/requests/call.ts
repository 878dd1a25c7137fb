import type { Acknowledgement } from '../../protocol/hub.ts';
import { Backoff } from '../connection/backoff.ts';
import type { HubSocket } from '../connection/connect.ts';
import { HubConnection } from '../connection/connection.ts';
import { HubError, mayRetry } from './errors.ts';
import { measureRequest } from './request-size.ts';

/** How long to wait for a reply, in milliseconds. */
const replyTimeoutMs = 6_000;
/** On a network as slow as GPRS, each so many bytes of a request take a millisecond more. */
const bytesPerMs = 8;
/** If a connection ends so soon after a request, in milliseconds, the request may be the cause. */
const rightBehindMs = 2_000;

/** The service did not reply. `refused` if nothing was sent, else `uncertain`. */
class NoReplyError extends HubError {
  /** The service or the network ended the connection right after this request. */
  readonly endedConnection: boolean;

  constructor(code: 'refused' | 'uncertain', message: string, endedConnection = false) {
    super({ code, message });
    this.endedConnection = endedConnection;
  }
}

/**
 * Calls a method of the hub on the current connection. If no reply comes, it checks whether the connection is alive.
 * If the token has expired, it renews the connection with a new one.
 *
 * @throws HubError; `uncertain` if the connection ended or no reply came, `too_large` if nothing was sent
 */
export async function call<T>(socket: HubSocket, method: string, request: object): Promise<T> {
  const connection = HubConnection.of(socket);
  const bytes = measureRequest(method, request, connection.limits);
  if (!socket.connected) throw new NoReplyError('refused', 'not connected to the service');
  const reply = await send<T>(socket, method, request, bytes / bytesPerMs);
  connection.replied();
  if (reply.ok) return reply;
  if (reply.error.code === 'expired') connection.renew();
  throw new HubError(reply.error);
}

function send<T>(
  socket: HubSocket,
  method: string,
  request: object,
  extraMs: number,
): Promise<Acknowledgement<T>> {
  const connection = HubConnection.of(socket);
  const sentAt = Date.now();
  // The probe starts at half of the time, so that a dead connection is found before the time is over.
  const timer = setTimeout(() => void connection.probe(), replyTimeoutMs / 2 + extraMs);
  const replied = new Promise<Acknowledgement<T>>((resolve, reject) => {
    const onReply = (error: Error | null, reply: Acknowledgement<T>) => {
      if (!error) return resolve(reply);
      if (socket.connected) return reject(new NoReplyError('uncertain', `no reply to ${method}`));
      const isRightBehind = Math.abs(Date.now() - sentAt) < rightBehindMs + extraMs;
      const message = `the connection ended before ${method} was answered`;
      reject(new NoReplyError('uncertain', message, isRightBehind && connection.endedFromOutside));
    };
    const asking = socket.timeout(replyTimeoutMs + extraMs) as unknown as {
      emit(name: string, payload: object, reply: typeof onReply): void;
    };
    try {
      asking.emit(method, request, onReply);
    } catch (error) {
      // The encoder threw, so nothing was sent.
      reject(new HubError({ code: 'bad_request', message: `not to be sent: ${(error as Error).message}` }));
    }
  });
  return replied.finally(() => clearTimeout(timer));
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
  readonly #socket: HubSocket;
  #ends = 0;

  constructor(socket: HubSocket) {
    this.#socket = socket;
  }

  get areOver(): boolean {
    return this.#ends >= mostEnds;
  }

  /** @throws HubError */
  async call<T>(method: string, request: object): Promise<T> {
    const attempt = () => call<T>(this.#socket, method, request);
    try {
      // All requests that were under way when a connection ended are suspects. The last try of each runs alone, which
      // shows the cause.
      const isLast = this.#ends === mostEnds - 1;
      const reply = await (isLast ? HubConnection.of(this.#socket).alone(attempt) : attempt());
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
