import type { Redis } from 'ioredis';
import { addressKey } from './keys.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface DirectoryOptions {
  readonly deployment: string;
  readonly instance: string;
  /** Redis while it is there. */
  readonly redis: (key: string) => Pick<Redis, 'get' | 'set' | 'del'> | undefined;
  /** Where other instances reach this one; undefined while that is not known. */
  readonly own: () => Address | undefined;
  /** Instances that may be needed: they are looked for ahead, for Redis may be away then. @default none */
  readonly peers?: (() => readonly string[]) | undefined;
}

const announceEveryMs = 5_000;
/** An instance that announced nothing for so long is gone. */
const lastsMs = 20_000;
/** Redis is asked again for an instance that it did not know, in milliseconds. */
const askAgainMs = 500;
/** More than a deployment has; a bound on what is kept. */
const mostKept = 2_000;

/**
 * Where the instances of a deployment are. Each writes its address to Redis; whoever needs it reads it once. What is
 * known goes on being used while Redis is away.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #known = new Map<string, Address>();
  readonly #unknownSince = new Map<string, number>();
  readonly #asking = new Map<string, Promise<Address | undefined>>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.announce(), announceEveryMs).unref();
  }

  /** Says where this instance is, and learns where the others are; it does so again by itself. */
  async announce(): Promise<void> {
    const { instance, peers = () => [] } = this.#options;
    const others = peers().filter((peer) => peer !== instance);
    await Promise.all([this.#announceOwn(), ...others.map((peer) => this.find(peer))]);
  }

  async #announceOwn(): Promise<void> {
    const { own, redis, deployment, instance } = this.#options;
    const address = own();
    if (!address) return;
    const key = addressKey(deployment, instance);
    await redis(key)
      ?.set(key, JSON.stringify(address), 'PX', lastsMs)
      .catch(() => undefined);
  }

  /** Undefined: there is no such instance now. */
  async find(instance: string): Promise<Address | undefined> {
    return this.#known.get(instance) ?? this.#ask(instance);
  }

  /** Nobody answers there any more. @returns another address of the same instance, if there is one */
  async findAnother(instance: string, gone: Address): Promise<Address | undefined> {
    const known = this.#known.get(instance);
    if (known && !isSame(known, gone)) return known;
    this.#known.delete(instance);
    const found = await this.#ask(instance);
    if (found && !isSame(found, gone)) return found;
    this.#known.delete(instance);
    return undefined;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const { redis, deployment, instance } = this.#options;
    const key = addressKey(deployment, instance);
    await redis(key)
      ?.del(key)
      .catch(() => undefined);
  }

  #ask(instance: string): Promise<Address | undefined> {
    const since = this.#unknownSince.get(instance) ?? Number.NEGATIVE_INFINITY;
    if (performance.now() - since < askAgainMs) return Promise.resolve(undefined);
    const asking = this.#asking.get(instance) ?? this.#read(instance);
    this.#asking.set(instance, asking);
    return asking;
  }

  async #read(instance: string): Promise<Address | undefined> {
    try {
      const { redis, deployment } = this.#options;
      const key = addressKey(deployment, instance);
      const address = parse(await redis(key)?.get(key));
      if (address) this.#keep(this.#known, instance, address);
      else this.#keep(this.#unknownSince, instance, performance.now());
      return address;
    } catch {
      return undefined;
    } finally {
      this.#asking.delete(instance);
    }
  }

  #keep<T>(map: Map<string, T>, instance: string, value: T): void {
    if (map.size >= mostKept) map.clear();
    map.set(instance, value);
  }
}

function parse(text: string | null | undefined): Address | undefined {
  if (!text) return undefined;
  try {
    const { host, port } = JSON.parse(text) as { host?: unknown; port?: unknown };
    if (typeof host !== 'string' || !isPort(port)) return undefined;
    return { host, port };
  } catch {
    return undefined;
  }
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function isSame(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port;
}
