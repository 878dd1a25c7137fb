import { setTimeout as delay } from 'node:timers/promises';
import { scaled } from '../scale.ts';
import { eventually } from '../wait.ts';
import type { Audience, RoomClient } from './audience.ts';

const perSecond = scaled(60, 100);
/** What a fault of some seconds holds up at that pace; a slow machine is given no more to do than it can. */
const mostUnderWay = 5 * perSecond;
/** It lasts for so many messages at least, however soon all else is over. */
const least = scaled(100, 300);

/**
 * What the members of an audience publish, in turn and at an even pace, while something is done to them: it goes on for
 * as long as that takes, on a slow machine too.
 */
export class Traffic {
  readonly #audience: Audience<RoomClient>;
  readonly #publishes: Promise<unknown>[] = [];
  readonly #ended: Promise<void>;
  #underWay = 0;
  #isOver = false;

  private constructor(audience: Audience<RoomClient>) {
    this.#audience = audience;
    this.#ended = this.#run();
  }

  /** Those publish who are members now. */
  static async start(audience: Audience<RoomClient>): Promise<Traffic> {
    return new Traffic(audience);
  }

  /** Resolves when so many messages are on their way, or were delivered. */
  async reaches(count: number): Promise<void> {
    await eventually(`${count} publishes`, () => this.#publishes.length >= count);
  }

  /** Resolves when each publish was acknowledged, or ended in an error. @returns how many there were */
  async end(): Promise<number> {
    await this.reaches(least);
    await this.stop();
    await Promise.all(this.#publishes);
    return this.#publishes.length;
  }

  /** Publishes nothing more. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const senders = [...this.#audience.members];
    for (let n = 0; !this.#isOver; n += 1) {
      await delay(1_000 / perSecond);
      if (this.#underWay >= mostUnderWay) continue;
      const sender = senders[n % senders.length] as (typeof senders)[number];
      this.#underWay += 1;
      const publish = this.#audience.publishOnce(sender).finally(() => {
        this.#underWay -= 1;
      });
      this.#publishes.push(publish);
    }
  }
}
