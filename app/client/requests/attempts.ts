import type { HubSocket } from '../connection/connect.ts';
import { HubConnection } from '../connection/connection.ts';
import { call, NoReplyError } from './call.ts';

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
