import type { Logger } from 'pino';
import type { RedisLink } from './link.ts';

export interface WatchedLinks {
  readonly commands: RedisLink;
  /** Also asked where the setting leads now. */
  readonly subscriptions: RedisLink;
}

/** A connection each time: nothing beside what an instance asks of Redis otherwise. */
const lookEveryMs = 30_000;
/** A server whose name differs at each connection stands behind a proxy of many, and is not followed. */
const mostInVain = 3;

/**
 * Looks from time to time where the setting leads: a name may have moved to another primary while every connection
 * to the old one stands and answers.
 */
export class EndpointWatch {
  readonly #links: WatchedLinks;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;
  #inVain = 0;

  constructor(links: WatchedLinks, log: Logger, everyMs = lookEveryMs) {
    this.#links = links;
    this.#log = log;
    this.#timer = setInterval(() => void this.#look(), everyMs * (0.75 + Math.random() / 2)).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { commands, subscriptions } = this.#links;
    if (this.#isLooking || !commands.connection || !subscriptions.connection) return;
    this.#isLooking = true;
    try {
      const server = await subscriptions.probe();
      const leadElsewhere = [commands, subscriptions].filter(({ serverId }) => serverId !== server);
      if (leadElsewhere.length === 0) this.#inVain = 0;
      else this.#follow();
    } catch (error) {
      // Connections that stand are better than none that can be made.
      this.#log.debug({ err: error }, 'could not look where the Redis setting leads');
    } finally {
      this.#isLooking = false;
    }
  }

  #follow(): void {
    this.#inVain += 1;
    if (this.#inVain > mostInVain) return;
    const { commands, subscriptions } = this.#links;
    for (const link of [commands, subscriptions]) link.renew('the setting leads to another server now');
  }
}
