import type { Redis } from 'ioredis';
import { demotedReason } from '../../../metric-names.ts';
import { saysState } from '../access.ts';
import type { Channels } from '../channels.ts';
import type { RedisLink } from './link.ts';
import { withoutRedirects } from './open-connection.ts';

/** What Redis does for this instance. */
export type Pulse =
  /** Messages go round, and can be written. */
  | 'beating'
  /** Messages go round and can be read; the server takes no writes now. */
  | 'read-only'
  | 'silent';

export interface HeartbeatOptions {
  readonly commands: RedisLink;
  readonly subscriptions: RedisLink;
  readonly channels: Channels;
  /** This instance's own channel, and a key that is written with each beat. */
  readonly channel: () => string;
  /** Notified of each change. @param reason the server's own, why it takes no writes */
  readonly onChange: (pulse: Pulse, reason?: Error) => void;
  /** Gets how long each beat was on its way, in milliseconds. @default nobody gets it */
  readonly onRoundTrip?: ((milliseconds: number) => void) | undefined;
  /** A beat did not come in time. @default nobody is notified */
  readonly onOverdue?: (() => void) | undefined;
}

/** Clients are notified within 2 s that Redis is away: one beat, and the time that it may take. */
const intervalMs = 1_000;
const overdueMs = 800;
/** A connection that is silent for so long is given up: the next one may meet another server. */
const renewAfterMs = 5_000;
/** What a beat writes is gone by itself. */
const keptMs = 10_000;

/**
 * Sends a message to itself through Redis, over both links, all the time.
 *
 * It finds what a connection alone does not show: a server that stalls, or takes no writes, a subscription that hangs
 * on another server than the commands go to, and a demoted primary that keeps its connections. All by a clock that
 * nobody sets, and that goes on while this process is stopped.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #overdue: NodeJS.Timeout | undefined;
  #round = 0;
  /** The channel that it has subscribed. */
  #channel: string | undefined;
  #pulse: Pulse = 'silent';
  #refusal: Error | undefined;
  /** When the beat was sent that was heard last, whatever held this process up. */
  #beatAt = Number.NEGATIVE_INFINITY;
  /** The same, and when commands were answered, without the time for which this process was busy itself. */
  #heardAt = 0;
  #answeredAt = 0;
  /** Milliseconds by which the server's clock is ahead of this process's own. */
  #serverAheadMs: number | undefined;
  #dueAt = 0;
  #sentAt = 0;
  /** It has not been heard yet. */
  #isAwaited = false;
  #asking = false;
  #hasEnded = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  get pulse(): Pulse {
    return this.#pulse;
  }

  /**
   * Messages go round now. False as soon as this process runs again that was stopped for long: what it finds to do
   * is old, and Redis must be heard of first.
   */
  get isFresh(): boolean {
    return this.#pulse !== 'silent' && performance.now() - this.#beatAt < renewAfterMs;
  }

  /** The server's time now, in milliseconds since 1970, and no later than it is there; undefined: never heard. */
  get serverTime(): number | undefined {
    return this.#serverAheadMs === undefined ? undefined : performance.now() + this.#serverAheadMs;
  }

  /** Starts a new count: the connections have just been made. */
  async start(): Promise<void> {
    this.stop();
    if (this.#hasEnded) return;
    const round = this.#round;
    this.#heardAt = this.#answeredAt = performance.now();
    // Another server has a clock of its own.
    this.#serverAheadMs = undefined;
    await this.#subscribe();
    // The connections may have ended meanwhile, and another count begun.
    if (round !== this.#round) return;
    this.#dueAt = performance.now();
    this.#timer = setInterval(() => this.#beat(), intervalMs);
    this.#beat();
  }

  /** Where its channel is another one now, it goes on with that at once. */
  channelMoved(): void {
    if (!this.#timer || this.#channel === this.#options.channel()) return;
    void this.#subscribe().then(() => this.#timer && this.#beat());
  }

  /** Stops for good. */
  end(): void {
    this.#hasEnded = true;
    this.stop();
    if (this.#channel !== undefined) this.#options.channels.unsubscribe(this.#channel);
  }

  stop(): void {
    this.#round += 1;
    clearInterval(this.#timer);
    clearTimeout(this.#overdue);
    this.#timer = undefined;
    this.#change('silent');
  }

  async #subscribe(): Promise<void> {
    const { channels } = this.#options;
    const channel = this.#options.channel();
    if (this.#channel !== undefined && this.#channel !== channel) channels.unsubscribe(this.#channel);
    this.#channel = channel;
    await channels.follow(channel, { received: () => this.#heard(), resubscribed: () => undefined });
  }

  #beat(): void {
    const now = performance.now();
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
      this.#change('silent');
    });
  }

  async #ask(): Promise<void> {
    const redis = this.#options.commands.connection;
    const channel = this.#channel;
    if (!redis || channel === undefined || this.#asking) return;
    this.#asking = true;
    this.#sentAt = performance.now();
    this.#isAwaited = true;
    try {
      // What another server would answer says nothing of this one.
      const asked = withoutRedirects(
        redis,
        () =>
          [
            redis.time(),
            redis.info('replication'),
            redis.spublish(channel, ''),
            write(redis, channel),
          ] as const,
      );
      const [time, replication, receivers, refusal] = await Promise.all(asked);
      this.#answeredAt = performance.now();
      this.#serverAheadMs = millisecondsOf(time) - this.#answeredAt;
      this.#refusal = refusal;
      if (this.#pulse !== 'silent') this.#change(this.#pulseNow);
      if (/^role:slave/m.test(replication)) this.#renewBoth(demotedReason);
      // Which of them hangs on the wrong one only the endpoint tells.
      else if (receivers === 0) this.#renewBoth('commands and subscriptions hang on different servers');
    } catch {
      // The link ends with its own reason, or the next beats find it overdue.
    } finally {
      this.#asking = false;
    }
  }

  #renewBoth(reason: string): void {
    this.#renew('commands', reason);
    this.#renew('subscriptions', reason);
  }

  #renew(link: 'commands' | 'subscriptions', reason: string): void {
    this.#heardAt = this.#answeredAt = performance.now();
    this.#change('silent');
    this.#options[link].renew(reason);
  }

  #heard(): void {
    // What was under way when a connection ended says nothing of the next one.
    if (!this.#timer) return;
    this.#heardAt = performance.now();
    // One that waited here while this process was stopped tells how Redis was before that.
    this.#beatAt = this.#sentAt;
    this.#reportRoundTrip();
    clearTimeout(this.#overdue);
    this.#change(this.#pulseNow);
  }

  get #pulseNow(): Pulse {
    return this.#refusal ? 'read-only' : 'beating';
  }

  #reportRoundTrip(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#options.onRoundTrip?.(performance.now() - this.#sentAt);
  }

  #change(pulse: Pulse): void {
    if (this.#pulse === pulse) return;
    this.#pulse = pulse;
    this.#options.onChange(pulse, this.#refusal);
  }
}

/** @param time seconds, and microseconds of the next one, as TIME answers */
function millisecondsOf([seconds, microseconds]: readonly (number | string)[]): number {
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}

/** @returns why the server takes no writes  @throws Error when it does not answer */
async function write(redis: Redis, key: string): Promise<Error | undefined> {
  try {
    await redis.set(key, '', 'PX', keptMs);
    return undefined;
  } catch (error) {
    if ((error as Error).name !== 'ReplyError') throw error;
    return saysState(error as Error) ? (error as Error) : undefined;
  }
}
