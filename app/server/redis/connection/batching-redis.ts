import { Redis } from 'ioredis';

/**
 * Sends the commands of one turn of the event loop in one write.
 *
 * ioredis's own way, `enableAutoPipelining`, makes a pipeline for each batch: where a turn has one command, as on
 * an instance that is not busy, that costs more than the command itself.
 */
export class BatchingRedis extends Redis {
  #corked = false;

  override sendCommand(...command: Parameters<Redis['sendCommand']>): unknown {
    this.#cork();
    return super.sendCommand(...command);
  }

  #cork(): void {
    const { stream } = this;
    if (this.#corked || !stream) return;
    this.#corked = true;
    stream.cork();
    setImmediate(() => {
      this.#corked = false;
      stream.uncork();
    });
  }
}
