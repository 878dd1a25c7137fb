import { setTimeout as delay } from 'node:timers/promises';
import { RedisAwayError } from '../../redis/access.ts';
import type { RedisLink } from '../../redis/connection/link.ts';
import { NamedScript } from '../../redis/script.ts';
import { UncertainError } from './log.ts';

/** How long a replica may take, in milliseconds; behind it nobody knows. */
const confirmWithinMs = 2_000;
/** From one try to the next where this connection led to another server than the append's, in milliseconds. */
const retryMs = 100;
const renewEveryMs = 1_000;

interface Waiting {
  /** In the slot that was appended to. */
  readonly key: string;
  /** Of the server that appended. */
  readonly replicationId: string;
  readonly until: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Writes, so that WAIT has something to wait for, and tells in whose replication that is. */
const mark = new NamedScript(
  { keys: ['mark'], args: [] },
  "local mark = unpack(KEYS)\nredis.call('SET', mark, '', 'EX', 60) return replicationId()",
);

/**
 * Waits until what was written is on a replica, too: a failover can't lose it then.
 *
 * WAIT blocks its connection and is refused inside scripts, so it has a connection of its own, and one WAIT
 * serves all who came while the last one was under way. That connection may lead to another server than the
 * append's, as while an old primary lives beside the promoted one: its replicas say nothing of the append.
 */
export class ReplicaAcks {
  readonly #link: RedisLink;
  #waiting: Waiting[] = [];
  #running = false;
  #renewedAt = Number.NEGATIVE_INFINITY;

  /** @param link to the shard that appends */
  constructor(link: RedisLink) {
    this.#link = link;
  }

  /**
   * Resolves when everything that was written under this replication id before this call is on a replica.
   * @param channel of the room that was appended to
   * @throws UncertainError when none says so in time
   */
  confirm(replicationId: string, channel: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const until = performance.now() + confirmWithinMs;
      this.#waiting.push({ key: `${channel}:acks`, replicationId, until, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const { server, isConfirmed } = await this.#wait(batch[0]?.key as string).catch(() => ({
        server: undefined,
        isConfirmed: false,
      }));
      const isHere = ({ replicationId }: Waiting) => replicationId === server;
      const others = batch.filter((each) => !(isConfirmed && isHere(each)));
      for (const each of batch) if (isConfirmed && isHere(each)) each.resolve();
      if (others.length > 0) await this.#tryAgain(others, !batch.every(isHere));
    }
    this.#running = false;
  }

  async #tryAgain(others: readonly Waiting[], isElsewhere: boolean): Promise<void> {
    const now = performance.now();
    for (const each of others) {
      if (each.until > now) this.#waiting.push(each);
      else each.reject(new UncertainError(`written, and confirmed by no replica in ${confirmWithinMs} ms`));
    }
    // Or to one that takes no writes any more: a demoted one keeps its connections.
    if (isElsewhere && this.#link.connection && now - this.#renewedAt > renewEveryMs) {
      this.#renewedAt = now;
      this.#link.renew('it leads to another server than the appends');
    }
    if (this.#waiting.length > 0) await delay(retryMs);
  }

  /**
   * @returns the replication id of the server that was asked, and whether a replica has everything that was written there
   * @throws RedisAwayError; Error where it does not answer, or takes no writes
   */
  async #wait(key: string): Promise<{ server: string | undefined; isConfirmed: boolean }> {
    const redis = this.#link.connection;
    if (!redis) throw new RedisAwayError();
    // WAIT is for the writes of its own connection.
    const server = (await mark.run(redis, { mark: key }, {})) as string;
    return { server, isConfirmed: (await redis.wait(1, confirmWithinMs)) > 0 };
  }
}
