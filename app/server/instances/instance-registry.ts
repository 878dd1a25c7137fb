import { z } from 'zod';
import type { CountedInstance } from '../../protocol/fleet.ts';
import { type Leases, startOf } from '../leases/leases.ts';
import { connectedRedis } from '../redis/access.ts';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { redisName } from '../redis/keys.ts';

export interface InstanceRegistryOptions {
  /** Undefined in single-instance mode: this one is all there is. */
  readonly links: BackplaneLinks | undefined;
  readonly deployment: string;
  /** This instance now. */
  readonly own: () => CountedInstance;
  /** How much this instance relays to sessions of others now. @default it relays nothing */
  readonly relayed?: () => number;
}

/** What ended with other instances. */
export interface InstanceEnds {
  instances: number;
  /** Sessions that they held. */
  served: number;
  /** Sessions of others that reached these through them. */
  relayed: number;
}

const publishEveryMs = 1_000;
/** An instance that was not heard of for so long is gone, or cut off. */
const forgottenAfterMs = 3_500;
/** More than anyone can look at; a bound on what others can make this instance keep. */
const mostInstances = 1_000;
/** The last words of an instance are known for so long: others take longer to be sure of its end. */
const lastWordsMs = 60_000;

/** What instances say of themselves. */
const countedInstance = z.object({
  instance: z.string().min(1).max(64),
  connections: z.int().min(0),
  draining: z.boolean(),
  // Instances of a version before say neither.
  owner: z.string().max(100).optional(),
  relayed: z.int().min(0).default(0),
  shards: z.object({ joined: z.int().min(0), of: z.int().min(0) }).optional(),
});
type Said = z.infer<typeof countedInstance>;

/** Which instances there are and how many clients each has: every instance publishes it each second. */
export class InstanceRegistry {
  readonly #options: InstanceRegistryOptions;
  /** What ended with other instances whose end was handed to this one, as they last said: at most a second before. */
  readonly ends: InstanceEnds = { instances: 0, served: 0, relayed: 0 };
  readonly #heard = new Map<string, { readonly said: CountedInstance; readonly at: number }>();
  /** By what their names as owners have in common: one that starts again has another. */
  readonly #lastWords = new Map<string, { readonly said: Said; readonly at: number }>();
  #leases: Pick<Leases, 'owner'> | undefined;
  #stopWatching: () => void = () => undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(options: InstanceRegistryOptions) {
    this.#options = options;
    const { links } = options;
    void links?.channels.follow(this.#channel, {
      received: (payload) => this.#hear(countedInstance.parse(JSON.parse(payload.toString()))),
      resubscribed: () => undefined,
    });
    this.#timer = setInterval(() => void this.announce(), publishEveryMs).unref();
  }

  /** Counts what ends with others. The end of each is handed to one of those that go on. */
  watchEnds(leases: Pick<Leases, 'owner' | 'onExpired'>): void {
    this.#leases = leases;
    this.#stopWatching = leases.onExpired(async (ended) => this.#count(ended));
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

  /** Says what this instance has now; it says so by itself, too. */
  async announce(): Promise<void> {
    const { own, relayed = () => 0, links } = this.#options;
    const said = { ...own(), owner: this.#leases?.owner, relayed: relayed() };
    const connection = connectedRedis(links, this.#channel);
    await connection?.spublish(this.#channel, JSON.stringify(said)).catch(() => undefined);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopWatching();
    this.#options.links?.channels.unsubscribe(this.#channel);
  }

  get #channel(): string {
    return redisName(this.#options.deployment, 'instances');
  }

  #hear(said: Said): void {
    const { instance, connections, draining, shards, owner } = said;
    const at = Date.now();
    if (this.#heard.size < mostInstances || this.#heard.has(instance)) {
      this.#heard.set(instance, { said: { instance, connections, draining, shards }, at });
    }
    for (const [other, { at: heardAt }] of this.#lastWords) {
      if (at - heardAt > lastWordsMs) this.#lastWords.delete(other);
    }
    if (owner === undefined) return;
    const start = startOf(owner);
    if (this.#lastWords.size < mostInstances || this.#lastWords.has(start))
      this.#lastWords.set(start, { said, at });
  }

  #count(owner: string): void {
    const last = this.#lastWords.get(startOf(owner))?.said;
    // One that was silent too long goes on under another name.
    if (last?.owner !== owner) return;
    // An end may be handed out twice.
    this.#lastWords.delete(startOf(owner));
    this.ends.instances += 1;
    this.ends.served += last.connections;
    this.ends.relayed += last.relayed;
  }
}
