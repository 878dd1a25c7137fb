import { demotedReason } from '../../metric-names.ts';
import type { Channels } from './channels.ts';
import type { RedisLink } from './link.ts';

export interface HeartbeatOptions {
  readonly commands: RedisLink;
  readonly subscriptions: RedisLink;
  readonly channels: Channels;
  /** This instance's own channel. */
  readonly channel: string;
  /** Told of each change: can a message go round through Redis? */
  readonly onChange: (beating: boolean) => void;
  /** Is told how long each beat was on its way, in milliseconds. @default nobody is */
  readonly onRoundTrip?: ((milliseconds: number) => void) | undefined;
  /** A beat did not come in time. @default nobody is told */
  readonly onOverdue?: (() => void) | undefined;
}

/** Clients are told within 2 s that Redis is away: one beat, and the time that it may take. */
const intervalMs = 1_000;
const overdueMs = 800;
/** A connection that is silent for so long is given up: the next one may meet another server. */
const renewAfterMs = 5_000;

/**
 * Sends a message to itself through Redis, over both links, all the time.
 *
 * It finds what a connection alone does not show: a server that stalls, a subscription that hangs on
 * another server than the commands go to, and a demoted primary that keeps its connections.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #overdue: NodeJS.Timeout | undefined;
  #round = 0;
  #beating = false;
  #heardAt = 0;
  #answeredAt = 0;
  #dueAt = 0;
  #sentAt = 0;
  #asking = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  get beating(): boolean {
    return this.#beating;
  }

  /** Starts a new count: the connections have just been made. */
  async start(): Promise<void> {
    this.stop();
    const round = this.#round;
    const { channels, channel } = this.#options;
    this.#heardAt = this.#answeredAt = Date.now();
    await channels.follow(channel, { received: () => this.#heard(), resubscribed: () => undefined });
    // The connections may have ended meanwhile, and another count begun.
    if (round !== this.#round) return;
    this.#dueAt = Date.now();
    this.#timer = setInterval(() => this.#beat(), intervalMs);
    this.#beat();
  }

  stop(): void {
    this.#round += 1;
    clearInterval(this.#timer);
    clearTimeout(this.#overdue);
    this.#timer = undefined;
    this.#change(false);
  }

  #beat(): void {
    const now = Date.now();
    this.#forgiveOwnDelay(now);
    clearTimeout(this.#overdue);
    this.#overdue = setTimeout(() => this.#expect(now), overdueMs);
    if (now - this.#answeredAt > renewAfterMs) this.#renew('commands', 'it did not answer for 5 s');
    else if (now - this.#heardAt > renewAfterMs) this.#renew('subscriptions', 'it was silent for 5 s');
    else void this.#ask();
  }

  /** A process that gets no CPU reads its answers late: that is not the server's silence. */
  #forgiveOwnDelay(now: number): void {
    const late = Math.max(0, now - this.#dueAt);
    this.#heardAt += late;
    this.#answeredAt += late;
    this.#dueAt = now + intervalMs;
  }

  /** After a look at what has arrived: a process that was busy itself finds the timer before the answer. */
  #expect(beatAt: number): void {
    setImmediate(() => {
      if (this.#heardAt >= beatAt) return;
      this.#options.onOverdue?.();
      this.#change(false);
    });
  }

  async #ask(): Promise<void> {
    const redis = this.#options.commands.connection;
    if (!redis || this.#asking) return;
    this.#asking = true;
    this.#sentAt = performance.now();
    try {
      const [replication, receivers] = await Promise.all([
        redis.info('replication'),
        redis.publish(this.#options.channel, ''),
      ]);
      this.#answeredAt = Date.now();
      if (/^role:slave/m.test(replication)) this.#demoted();
      else if (receivers === 0) this.#renew('subscriptions', 'the subscription hangs on another server');
    } catch {
      // The link ends with its own reason, or the next beats find it overdue.
    } finally {
      this.#asking = false;
    }
  }

  #demoted(): void {
    this.#renew('commands', demotedReason);
    this.#renew('subscriptions', demotedReason);
  }

  #renew(link: 'commands' | 'subscriptions', reason: string): void {
    this.#heardAt = this.#answeredAt = Date.now();
    this.#change(false);
    this.#options[link].renew(reason);
  }

  #heard(): void {
    // What was under way when a connection ended says nothing of the next one.
    if (!this.#timer) return;
    this.#heardAt = Date.now();
    this.#tellRoundTrip();
    clearTimeout(this.#overdue);
    this.#change(true);
  }

  #tellRoundTrip(): void {
    if (this.#sentAt === 0) return;
    this.#options.onRoundTrip?.(performance.now() - this.#sentAt);
    this.#sentAt = 0;
  }

  #change(beating: boolean): void {
    if (this.#beating === beating) return;
    this.#beating = beating;
    this.#options.onChange(beating);
  }
}
