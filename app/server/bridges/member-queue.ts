import type { Logger } from 'pino';
import { RpcError } from '../rooms/rpc.ts';

/** Joins and leaves that others ask for and that wait. */
const mostWaiting = 10_000;

/** What others have members do, one after the other: a thousand joins at once would hold up those of clients. */
export class MemberQueue {
  readonly #bridge: string;
  readonly #log: Logger;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(bridge: string, log: Logger) {
    this.#bridge = bridge;
    this.#log = log;
  }

  run(operation: () => Promise<void>): void {
    if (this.#waiting >= mostWaiting) return void this.#refused('more joins and leaves wait than may');
    this.#waiting += 1;
    this.#tail = this.#tail
      .then(operation)
      .catch((error: Error) =>
        this.#refused(error instanceof RpcError ? `${error.code}: ${error.message}` : error.message),
      )
      .then(() => {
        this.#waiting -= 1;
      });
  }

  #refused(reason: string): void {
    this.#log.warn({ bridge: this.#bridge, reason }, 'a bridge could not have a member join or leave');
  }
}
