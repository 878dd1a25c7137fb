import { z } from 'zod';
import type { CountedInstance } from '../../protocol/fleet.ts';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { redisName } from '../redis/keys.ts';

export interface InstanceRegistryOptions {
  /** Undefined in single-instance mode: this one is all there is. */
  readonly links: BackplaneLinks | undefined;
  readonly deployment: string;
  /** This instance now. */
  readonly own: () => CountedInstance;
}

const publishEveryMs = 1_000;
/** An instance that was not heard of for so long is gone, or cut off. */
const forgottenAfterMs = 3_500;
/** More than anyone can look at; a bound on what others can make this instance keep. */
const mostInstances = 1_000;

/** What instances say of themselves. */
const countedInstance = z.object({
  instance: z.string().min(1).max(64),
  connections: z.int().min(0),
  draining: z.boolean(),
});

/** Which instances there are and how many clients each has: every instance publishes it each second. */
export class InstanceRegistry {
  readonly #options: InstanceRegistryOptions;
  readonly #heard = new Map<string, { readonly said: CountedInstance; readonly at: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: InstanceRegistryOptions) {
    this.#options = options;
    const { links } = options;
    void links?.channels.follow(this.#channel, {
      received: (payload) => this.#hear(countedInstance.parse(JSON.parse(payload.toString()))),
      resubscribed: () => undefined,
    });
    this.#timer = setInterval(() => this.#publish(), publishEveryMs).unref();
  }

  /** All that are known, by name; this one among them. */
  list(): CountedInstance[] {
    const since = Date.now() - forgottenAfterMs;
    for (const [instance, { at }] of this.#heard) if (at < since) this.#heard.delete(instance);
    const own = this.#options.own();
    const others = Array.from(this.#heard.values(), ({ said }) => said).filter(
      ({ instance }) => instance !== own.instance,
    );
    return [own, ...others].sort((one, other) => one.instance.localeCompare(other.instance));
  }

  /** One of the others that takes clients, by chance; undefined: none is known. */
  another(): string | undefined {
    const { instance: own } = this.#options.own();
    const others = this.list().filter(({ instance, draining }) => instance !== own && !draining);
    return others[Math.floor(Math.random() * others.length)]?.instance;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#options.links?.channels.unsubscribe(this.#channel);
  }

  get #channel(): string {
    return redisName(this.#options.deployment, 'instances');
  }

  #hear(said: CountedInstance): void {
    if (this.#heard.size < mostInstances || this.#heard.has(said.instance)) {
      this.#heard.set(said.instance, { said, at: Date.now() });
    }
  }

  #publish(): void {
    const connection = this.#options.links?.commands.connection;
    connection?.publish(this.#channel, JSON.stringify(this.#options.own())).catch(() => undefined);
  }
}
