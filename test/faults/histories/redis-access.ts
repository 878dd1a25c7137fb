import { TcpForwarder } from '../../support/network/tcp-forwarder.ts';
import { clientsNamed } from '../../support/redis/redis-client.ts';
import type { RedisPair } from '../../support/redis/redis-pair.ts';
import type { Direction, Link, Plan } from './plan.ts';

/** One instance's network to the two Redis servers: each of its connections can be cut, or muted, by itself. */
export class RedisAccess {
  readonly #instance: string;
  readonly #pair: RedisPair;
  readonly #forwarders: readonly TcpForwarder[];

  private constructor(instance: string, pair: RedisPair, forwarders: readonly TcpForwarder[]) {
    this.#instance = instance;
    this.#pair = pair;
    this.#forwarders = forwarders;
  }

  /** @param endpoints the primary of the moment is what a name leads to */
  static async open(instance: string, pair: RedisPair, endpoints: Plan['endpoints']): Promise<RedisAccess> {
    const both = [pair.primary.port, pair.replica.port].map((port) => () => port);
    const targets = endpoints === 'both' ? both : [() => pair.primary.port];
    const forwarders = await Promise.all(targets.map((target) => TcpForwarder.open(() => [target()])));
    return new RedisAccess(instance, pair, forwarders);
  }

  /** In StackExchange's shape. */
  get setting(): string {
    return this.#forwarders.map(({ port }) => `127.0.0.1:${port}`).join(',');
  }

  /** Hangs up. */
  async cut(link: Link): Promise<void> {
    const ports = await this.#portsOf(link);
    for (const forwarder of this.#forwarders) forwarder.cut(({ localPort }) => ports.has(localPort));
  }

  /** The connections stay open and carry nothing more in one direction. */
  async mute(link: Link, towards: Direction): Promise<void> {
    const ports = await this.#portsOf(link);
    for (const forwarder of this.#forwarders) {
      forwarder.swallow(towards, ({ localPort }) => ports.has(localPort));
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#forwarders.map((forwarder) => forwarder.close()));
  }

  /** A server that is not there now has no connections. */
  async #portsOf(link: Link): Promise<ReadonlySet<number>> {
    const purposes = link === 'both' ? ['commands', 'subscriptions', 'acks'] : [link];
    const { primary, replica } = this.#pair;
    const lists = [primary, replica].flatMap(({ port }) =>
      purposes.map((purpose) => clientsNamed(port, `${this.#instance}:${purpose}`).catch(() => [])),
    );
    return new Set((await Promise.all(lists)).flat().map(({ port }) => port));
  }
}
