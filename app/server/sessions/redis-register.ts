import type { Logger } from 'pino';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { Script } from '../redis/script.ts';
import { LocalRegister } from './local-register.ts';
import { mostEntries, type Register, RegisterError } from './register.ts';

export interface RedisRegisterOptions {
  readonly links: BackplaneLinks;
  readonly deployment: string;
  readonly log: Logger;
}

const script = new Script(new URL('./scripts/bar.lua', import.meta.url));
/** Beside the messages of the channel, in milliseconds: what a failover lost comes to no message. */
const loadEveryMs = 30_000;

/**
 * Kept in a sorted set that ends with its last entry, and told on a channel. Each instance holds a copy, loaded anew
 * whenever the channel is subscribed again. While Redis is away the copy stands, and nothing can be added.
 */
export class RedisRegister implements Register {
  readonly #options: RedisRegisterOptions;
  readonly #local = new LocalRegister();
  readonly #timer: NodeJS.Timeout;
  /** Counts what the channel told: a load that one of them overtook is old. */
  #heard = 0;

  constructor(options: RedisRegisterOptions) {
    this.#options = options;
    const { links } = options;
    const load = () => void this.#load();
    void links.channels
      .follow(this.#channel, {
        received: (payload) => this.#received(payload.toString()),
        resubscribed: load,
      })
      .then(load);
    links.commands.on('up', load);
    this.#timer = setInterval(load, loadEveryMs).unref();
  }

  add(entry: string, forMs: number): Promise<void> {
    return this.#run(entry, forMs);
  }

  remove(entry: string): Promise<void> {
    return this.#run(entry, 0);
  }

  has(entry: string): boolean {
    return this.#local.has(entry);
  }

  onAdded(listener: (entry: string) => void): void {
    this.#local.onAdded(listener);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get #key(): string {
    return `${this.#options.deployment}:barred`;
  }

  get #channel(): string {
    return `${this.#options.deployment}:barred`;
  }

  async #run(entry: string, forMs: number): Promise<void> {
    const { connection } = this.#options.links.commands;
    if (!connection) throw new RegisterError('Redis is away');
    const args = [this.#channel, entry, Math.ceil(forMs), mostEntries];
    const ends = await script.run(connection, [this.#key], args).catch((error: Error) => {
      throw new RegisterError(`Redis did not take it: ${error.message}`);
    });
    if (ends === -1) throw new RegisterError(`${mostEntries} entries are barred already`);
    // Here at once, whenever the channel tells it.
    this.#received(`${ends}:${entry}`);
  }

  /** `1700000000000:entry`, or `0:entry` where it ends. */
  #received(payload: string): void {
    const [, ends, entry] = /^(\d+):(.+)$/s.exec(payload) ?? [];
    if (entry === undefined) return;
    this.#heard += 1;
    if (Number(ends) === 0) void this.#local.remove(entry);
    else this.#local.put(entry, Number(ends));
  }

  async #load(): Promise<void> {
    const { connection } = this.#options.links.commands;
    if (!connection) return;
    const heard = this.#heard;
    try {
      const reply = await connection.zrangebyscore(this.#key, Date.now(), '+inf', 'WITHSCORES');
      if (heard !== this.#heard) return void this.#load();
      const entries = new Map<string, number>();
      for (let i = 0; i < reply.length; i += 2) entries.set(reply[i] as string, Number(reply[i + 1]));
      this.#local.replaceAll(entries);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'could not read what is barred: the last known stands');
    }
  }
}
