import type { Logger } from 'pino';
import type { Denials } from '../deny-list/open-denials.ts';
import type { ListedCall, LiveKitApi } from './api.ts';
import { callHub } from './caller.ts';
import type { CallHolder } from './token.ts';

export interface CallWatchOptions {
  readonly api: Pick<LiveKitApi, 'calls' | 'isHosted' | 'revive' | 'remove'>;
  readonly denials: Pick<Denials, 'bans' | 'revocations'>;
  /** Is it this instance that looks at all calls now? One does, for all. */
  readonly isOnDuty: () => Promise<boolean>;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** From one look at all calls to the next, in milliseconds. @default 15,000 */
  readonly everyMs?: number;
  /**
   * Seconds in which who was in a call of a dead node can come back to it, before its end is published. Browsers
   * have given up by then. @default 30
   */
  readonly comeBackSeconds?: number;
}

/** Calls that are looked at side by side. */
const atOnce = 8;
/** Rooms that are remembered while LiveKit is away; beyond them all calls are looked at when it is back. */
const mostDue = 1_000;
/** Milliseconds from a try that LiveKit did not answer to the next one. */
const retryMs = 1_000;

/**
 * Sees to it that calls are as they should be: who is banned from a room, or revoked, is removed from its call, and a call
 * whose nodes have all died ends. The instance that is asked for a ban removes at once, and tries again while LiveKit is
 * away; a look at all calls from time to time finds what it could not finish.
 */
export class CallWatch {
  readonly #options: CallWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** Rooms to look at as soon as can be. */
  readonly #due = new Set<string>();
  #isAllDue = false;
  #isBusy = false;
  #isLooking = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Calls that no node had at the last look. */
  #dead = new Set<string>();

  constructor(options: CallWatchOptions) {
    this.#options = options;
    const { denials, everyMs = 15_000 } = options;
    denials.bans.onAsked(({ hub, room }) => {
      if (hub === callHub) this.check(room);
    });
    denials.revocations.onAsked(() => this.checkAll());
    this.#timer = setInterval(() => void this.#lookAtAll(), everyMs).unref();
  }

  /** May who holds this token be in the call of this room? */
  isDenied(room: string, holder: CallHolder): boolean {
    const { bans, revocations } = this.#options.denials;
    return revocations.isRevoked(holder) || bans.isBanned({ hub: callHub, room, subject: holder.subject });
  }

  /** Removes from this call who may not be there, in the background. */
  check(room: string): void {
    if (this.#due.size < mostDue) this.#due.add(room);
    else this.#isAllDue = true;
    void this.#work();
  }

  /** The same of every call. */
  checkAll(): void {
    this.#isAllDue = true;
    void this.#work();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
  }

  /** One after the other; what LiveKit did not answer stays due. */
  async #work(): Promise<void> {
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    clearTimeout(this.#retry);
    try {
      while (!this.#isClosed && (this.#isAllDue || this.#due.size > 0)) await this.#workOnce();
    } catch (error) {
      if (this.#isClosed) return;
      this.#options.log.warn({ err: error }, 'who is denied could not be removed from calls: trying again');
      this.#retry = setTimeout(() => void this.#work(), retryMs).unref();
    } finally {
      this.#isBusy = false;
    }
  }

  async #workOnce(): Promise<void> {
    if (this.#isAllDue) {
      // Whoever asks while the list is on its way asks for the next one.
      this.#isAllDue = false;
      try {
        for (const { room } of await this.#options.api.calls()) this.#due.add(room);
      } catch (error) {
        this.#isAllDue = true;
        throw error;
      }
    }
    const rooms = [...this.#due].slice(0, atOnce);
    await Promise.all(
      rooms.map(async (room) => {
        this.#due.delete(room);
        try {
          await this.#removeDenied(room);
        } catch (error) {
          this.#due.add(room);
          throw error;
        }
      }),
    );
  }

  #removeDenied(room: string): Promise<void> {
    return this.#options.api.remove(room, (holder) => this.isDenied(room, holder));
  }

  async #lookAtAll(): Promise<void> {
    // A look that takes longer than the time between two: each dead call is asked for, for seconds.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { api, isOnDuty, log } = this.#options;
    try {
      if (!(await isOnDuty())) return this.#dead.clear();
      const calls = await api.calls();
      const dead = new Set<string>();
      for (let at = 0; at < calls.length; at += atOnce) {
        await Promise.all(calls.slice(at, at + atOnce).map((call) => this.#lookAt(call, dead)));
      }
      this.#dead = dead;
    } catch (error) {
      if (!this.#isClosed) log.warn({ err: error }, 'calls can not be looked at now');
    } finally {
      this.#isLooking = false;
    }
  }

  /** Between two looks a call can move from a dead node to another one by itself, with its participants. */
  async #lookAt(call: ListedCall, dead: Set<string>): Promise<void> {
    const { api, log, comeBackSeconds = 30 } = this.#options;
    const { room } = call;
    if (await api.isHosted(room)) return this.#removeDenied(room);
    if (!this.#dead.has(room)) {
      dead.add(room);
      return;
    }
    log.info(
      { room },
      'no node has this call any more: it is given to another one, which ends it if nobody comes',
    );
    await api.revive(call, comeBackSeconds);
  }
}
