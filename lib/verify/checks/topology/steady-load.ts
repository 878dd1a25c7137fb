import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from '../../accounting/ledger.ts';
import type { RoomClient } from '../../clients/client.ts';
import { publishNext } from '../delivery/delivery.ts';

/** Messages a second of all senders together. */
const rate = 50;

/**
 * Publishes at a steady rate, one sender after the other, until it is stopped. A sender that waits for a reply is
 * skipped, so that a repeat never comes after a later message of the same sender.
 */
export class SteadyLoad {
  /** The replies to rejected publishes. */
  readonly rejections: string[] = [];
  readonly #ledger: Ledger;
  readonly #senders: readonly RoomClient[];
  readonly #underWay = new Map<RoomClient, Promise<void>>();
  readonly #running: Promise<void>;
  #isStopping = false;

  constructor(ledger: Ledger, senders: readonly RoomClient[]) {
    this.#ledger = ledger;
    this.#senders = senders;
    this.#running = this.#run();
  }

  /** Resolves when every publish has its reply. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    await Promise.all(this.#underWay.values());
  }

  async #run(): Promise<void> {
    for (let next = 0; !this.#isStopping; next += 1) {
      const sender = this.#senders[next % this.#senders.length];
      if (sender && !this.#underWay.has(sender)) this.#publish(sender);
      await delay(1_000 / rate);
    }
  }

  #publish(sender: RoomClient): void {
    const work = publishNext(this.#ledger, sender).then((rejection) => {
      if (rejection !== undefined) this.rejections.push(rejection);
      this.#underWay.delete(sender);
    });
    this.#underWay.set(sender, work);
  }
}
