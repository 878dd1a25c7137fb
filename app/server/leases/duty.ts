import { connectedRedis, type RedisAccess } from '../redis/access.ts';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { atHome } from '../redis/buckets.ts';
import { Script } from '../redis/script.ts';

export interface DutyOptions {
  /** Redis; absent in single-instance mode. */
  readonly links: RedisAccess | undefined;
  readonly deployment: string;
  readonly instance: string;
  /** What the duty is, as a part of its key in Redis. */
  readonly name: string;
  /** The one on duty asks again within this time, in milliseconds, or another one takes it over. */
  readonly lastsMs: number;
}

export interface HeldDutyOptions extends DutyOptions {
  readonly links: Pick<BackplaneLinks, 'shardOf' | 'channels' | 'onReturn'> | undefined;
  /** While Redis is away each instance is on duty, for itself, and not none. */
  readonly servesAlone: boolean;
}

/** What one instance does for all: whoever asked first, for as long as it goes on asking. While Redis is away, each. */
export function shareDuty(options: DutyOptions): () => Promise<boolean> {
  const { links, instance, lastsMs } = options;
  const key = dutyKey(options);
  return async () => {
    const connection = connectedRedis(links, key);
    if (!connection) return true;
    if ((await connection.set(key, instance, 'PX', lastsMs, 'NX')) === 'OK') return true;
    if ((await connection.get(key)) !== instance) return false;
    await connection.pexpire(key, lastsMs);
    return true;
  };
}

const giveBack = new Script(new URL('./scripts/give-back-duty.lua', import.meta.url));

/**
 * The same, asked for again and again, so that whether it is on duty is known at any moment. Where one instance dies,
 * nobody is on duty for up to `lastsMs` and a third of it more.
 */
export class HeldDuty {
  readonly #options: HeldDutyOptions;
  readonly #ask: () => Promise<boolean>;
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #until = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: HeldDutyOptions) {
    this.#options = options;
    this.#ask = shareDuty(options);
    const ask = () => void this.#renew();
    this.#timer = setInterval(ask, options.lastsMs / 3).unref();
    this.#stopListening =
      options.links?.onReturn((has) => has(dutyKey(options)) && ask()) ?? (() => undefined);
    // Given back by another: whoever asks first.
    void options.links?.channels.follow(dutyKey(options), { received: ask, resubscribed: ask });
    ask();
  }

  /** It ends here before another instance can take it over. */
  get isMine(): boolean {
    return performance.now() < this.#until;
  }

  /** Another instance takes it over at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#stopListening();
    this.#options.links?.channels.unsubscribe(dutyKey(this.#options));
    await this.#giveBack();
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return;
    const { links, servesAlone } = this.#options;
    if (links && !connectedRedis(links, dutyKey(this.#options)) && !servesAlone) return;
    const askedAt = performance.now();
    const isMine = await this.#ask().catch(() => undefined);
    if (this.#isClosed) return void (await this.#giveBack());
    if (isMine) this.#until = askedAt + this.#options.lastsMs * 0.9;
    else if (isMine === false) this.#until = Number.NEGATIVE_INFINITY;
  }

  /** Where Redis does not hear it, the time is over soon. */
  async #giveBack(): Promise<void> {
    this.#until = Number.NEGATIVE_INFINITY;
    const { links, instance } = this.#options;
    const duty = dutyKey(this.#options);
    const connection = connectedRedis(links, duty);
    if (connection) await giveBack.run(connection, [duty], [instance]).catch(() => undefined);
  }
}

function dutyKey({ deployment, name }: Pick<DutyOptions, 'deployment' | 'name'>): string {
  return atHome(deployment, 'duty', name);
}
