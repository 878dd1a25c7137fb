import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';
import { publishNext } from './round.ts';
import type { Tally } from './tally.ts';

/** Messages a second, all senders together. */
const rate = 50;

/**
 * Publishes at a steady, bounded rate, each sender in turn, until it is stopped. A sender that waits for an
 * answer is passed over, so that what it tries again never comes behind a later message of its own.
 */
export class SteadyLoad {
  /** What refused publishes were answered. */
  readonly refusals: string[] = [];
  readonly #tally: Tally;
  readonly #senders: readonly Client[];
  readonly #underWay = new Map<Client, Promise<void>>();
  readonly #running: Promise<void>;
  #stopping = false;

  constructor(tally: Tally, senders: readonly Client[]) {
    this.#tally = tally;
    this.#senders = senders;
    this.#running = this.#run();
  }

  /** Resolves when every publish was answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await Promise.all(this.#underWay.values());
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stopping; turn += 1) {
      const sender = this.#senders[turn % this.#senders.length];
      if (sender && !this.#underWay.has(sender)) this.#publish(sender);
      await delay(1_000 / rate);
    }
  }

  #publish(sender: Client): void {
    const work = publishNext(this.#tally, sender).then((refusal) => {
      if (refusal !== undefined) this.refusals.push(refusal);
      this.#underWay.delete(sender);
    });
    this.#underWay.set(sender, work);
  }
}
