import type { Logger } from 'pino';
import { assertConnected, connectedRedis, loggedReason, type WatchedRedis } from '../redis/access.ts';
import { atHome } from '../redis/buckets.ts';
import { NamedScript } from '../redis/script.ts';
import { settleAll, throwFirst } from '../redis/settled.ts';
import { fenceEverywhere } from './fence.ts';
import { type Leases, makeOwner, nextOwner, startOf } from './leases.ts';

/** All in milliseconds. */
export interface LeaseTimes {
  /** @default 1,000 */
  readonly beatEveryMs: number;
  /** @default 6,000: five beats may be lost, or a connection be made anew */
  readonly leaseMs: number;
  /** @default 2,500: less than a lease minus a beat, so that a stall shows before leases run out */
  readonly longestGapMs: number;
  /** @default 6,000: an instance that lost Redis gives a silent connection up after 5 s */
  readonly quietMs: number;
  /** A dead owner is handed out again unless it was handled in this time. @default 10,000 */
  readonly handOutAgainMs: number;
}

const defaultLeaseTimes: LeaseTimes = {
  beatEveryMs: 1_000,
  leaseMs: 6_000,
  longestGapMs: 2_500,
  quietMs: 6_000,
  handOutAgainMs: 10_000,
};

export interface RedisLeasesOptions {
  readonly links: WatchedRedis;
  /** Prefix of every key. */
  readonly deployment: string;
  readonly instance: string;
  readonly log: Logger;
  readonly times?: Partial<LeaseTimes>;
}

const beat = new NamedScript(
  {
    keys: ['owners', 'dead', 'beat'],
    args: ['owner', 'mayBeHeld', 'leaseMs', 'longestGapMs', 'quietMs', 'handOutAgainMs', 'most', 'keptMs'],
  },
  new URL('./scripts/beat.lua', import.meta.url),
);
const giveBack = new NamedScript(
  { keys: ['owners', 'dead'], args: ['owner', 'keptMs'] },
  new URL('./scripts/give-back.lua', import.meta.url),
);

/** Dead owners that one beat takes: the others leave some for their own. */
const mostAtOnce = 8;
/** An owner that died with nobody left to handle it is known for so long, in milliseconds. */
const keptMs = 24 * 3_600_000;

/** What a dead owner has sent has long arrived by then, in milliseconds; 10 KB for each in Redis. */
const fencedMs = 3_600_000;

/** Opens this instance's lease, and looks after those of the others. While Redis is away nothing happens. */
export function openRedisLeases(options: RedisLeasesOptions): Leases {
  return new RedisLeases(options);
}

class RedisLeases implements Leases {
  readonly #options: RedisLeasesOptions;
  readonly #times: LeaseTimes;
  readonly #keys: LeaseKeys;
  readonly #deathHandlers = new Set<(owner: string) => Promise<void>>();
  readonly #renewalHandlers = new Set<() => void>();
  /** Owners whose death is being handled here; one that is left unfinished is handed out again. */
  readonly #handling = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #owner: string;
  /** A beat under this name was sent: the lease may have been taken, whether or not that was heard. */
  #mayBeHeld = false;
  #isHeld = false;
  #beating: Promise<void> | undefined;
  #closed = false;

  constructor(options: RedisLeasesOptions) {
    this.#options = options;
    this.#times = { ...defaultLeaseTimes, ...options.times };
    this.#keys = leaseKeys(options.deployment);
    this.#owner = makeOwner(options.instance);
    const { links } = options;
    this.#stopListening = links.onReturn((has) => {
      if (has(this.#keys.owners)) void this.#beat();
    });
    this.#timer = setInterval(() => void this.#beat(), this.#times.beatEveryMs);
    void this.#beat();
  }

  get owner(): string {
    return this.#owner;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  onExpired(handler: (owner: string) => Promise<void>): () => void {
    this.#deathHandlers.add(handler);
    return () => this.#deathHandlers.delete(handler);
  }

  onRenewed(handler: () => void): () => void {
    this.#renewalHandlers.add(handler);
    return () => this.#renewalHandlers.delete(handler);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#stopListening();
    await this.#beating;
    const { log } = this.#options;
    const redis = this.#connection;
    if (!redis || !this.#mayBeHeld) return;
    try {
      await giveBack.run(redis, this.#keys, { owner: this.#owner, keptMs });
    } catch (error) {
      log.warn({ err: error }, 'the lease was not given back: it runs out by itself');
    }
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    const redis = this.#connection;
    if (!redis || this.#closed) return;
    // Whoever has just started has not said yet how it handles the dead: it takes none with its first beat.
    const most = this.#isHeld && this.#deathHandlers.size > 0 ? mostAtOnce : 0;
    const args = { ...this.#times, owner: this.#owner, mayBeHeld: this.#mayBeHeld ? 1 : 0, most, keptMs };
    this.#mayBeHeld = true;
    try {
      const [state, ...ended] = (await beat.run(redis, this.#keys, args)) as string[];
      for (const owner of ended) this.#handle(owner);
      if (state === 'lost') return await this.#takeNextName();
      const isNew = !this.#isHeld;
      this.#isHeld = true;
      if (isNew && this.#owner !== startOf(this.#owner)) this.#renewed();
    } catch (error) {
      this.#options.log.debug({ err: error }, 'no beat: Redis did not answer');
    }
  }

  /** What is registered under the lost name is taken back, whoever does that, and however late: it is never used again. */
  #takeNextName(): Promise<void> {
    const [lost, wasHeld] = [this.#owner, this.#isHeld];
    this.#owner = nextOwner(lost);
    this.#isHeld = this.#mayBeHeld = false;
    // One that was never known to be held is a beat that Redis did not hear.
    this.#options.log[wasHeld ? 'warn' : 'debug'](
      { lost, owner: this.#owner },
      'the lease was lost: others had ended it, or Redis has lost it; it is taken under a new name',
    );
    return this.#beatOnce();
  }

  #renewed(): void {
    if (this.#closed) return;
    for (const handler of this.#renewalHandlers) {
      try {
        handler();
      } catch (error) {
        this.#options.log.error({ err: error }, 'a handler of a renewed lease failed');
      }
    }
  }

  #handle(owner: string): void {
    if (this.#handling.has(owner)) return;
    this.#handling.add(owner);
    void this.#handleOnce(owner).finally(() => this.#handling.delete(owner));
  }

  async #handleOnce(owner: string): Promise<void> {
    const { log, links, deployment } = this.#options;
    try {
      log.info({ owner }, 'the lease of an instance has ended: taking back what it owned');
      const handlers = [...this.#deathHandlers];
      const [fenced] = await Promise.allSettled([
        fenceEverywhere({ links, deployment, owner, keptMs: fencedMs }),
      ]);
      // A shard that is away does not keep the others from being looked after.
      const { fault } = await settleAll(handlers.map((handler) => handler(owner)));
      throwFirst(fault, fenced.status === 'rejected' ? fenced.reason : undefined);
      await assertConnected(links, this.#keys.dead).zrem(this.#keys.dead, owner);
    } catch (error) {
      const reason = loggedReason(error as Error);
      log.warn({ ...reason, owner }, 'what a dead instance owned is not all taken back; it is tried again');
    }
  }

  get #connection() {
    return connectedRedis(this.#options.links, this.#keys.owners);
  }
}

/** Names in Redis, in one slot. */
interface LeaseKeys {
  /** Sorted set of owners by the end of their lease, in the server's milliseconds. */
  readonly owners: string;
  /** Sorted set of owners whose lease has ended, by when they may be handed out (again) to be handled. */
  readonly dead: string;
  /** Hash: `last` beat of anybody, `quiet` until when nobody is swept. */
  readonly beat: string;
}

export function leaseKeys(deployment: string): LeaseKeys {
  const name = (kind: string) => atHome(deployment, 'leases', kind);
  return { owners: name('owners'), dead: name('dead'), beat: name('beat') };
}
