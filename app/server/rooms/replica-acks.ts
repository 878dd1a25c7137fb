import type { RedisLink } from '../redis/link.ts';
import { UncertainError } from './log.ts';

/** How long a replica may take, in milliseconds; behind it nobody knows. */
const confirmWithinMs = 2_000;

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Waits until what was written is on a replica, too: a failover can't lose it then.
 *
 * WAIT blocks its connection and is refused inside scripts, so it has a connection of its own, and one WAIT
 * serves all who came while the last one was under way.
 */
export class ReplicaAcks {
  readonly #link: RedisLink;
  readonly #key: string;
  #waiting: Waiting[] = [];
  #running = false;

  /** @param key written before each WAIT: it waits for the writes of its own connection */
  constructor(link: RedisLink, key: string) {
    this.#link = link;
    this.#key = key;
  }

  /**
   * Resolves when everything written to the primary before this call is on a replica.
   * @throws UncertainError when none says so in time
   */
  confirm(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const fault = await this.#wait().catch((error: Error) => error.message);
      for (const { resolve, reject } of batch) {
        if (fault === undefined) resolve();
        else reject(new UncertainError(`written, and not confirmed by a replica: ${fault}`));
      }
    }
    this.#running = false;
  }

  /** @returns what is wrong, if anything is */
  async #wait(): Promise<string | undefined> {
    const redis = this.#link.connection;
    if (!redis) return 'Redis is away';
    await redis.set(this.#key, '', 'EX', 60);
    const replicas = await redis.wait(1, confirmWithinMs);
    return replicas > 0 ? undefined : `none within ${confirmWithinMs} ms`;
  }
}
