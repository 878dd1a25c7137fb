import { Backoff } from '../connection/backoff.ts';
import type { Notifier } from '../connection/notify.ts';
import { Attempts, type Caller } from './call.ts';
import { HubError } from './errors.ts';

/** How long to pause a request after which connections ended, in milliseconds. The pauses grow. */
const firstSuspensionMs = 15_000;
const longestSuspensionMs = 300_000;

export interface SyncOptions {
  readonly caller: Caller;
  readonly notifier: Notifier;
  /** Brings the client up to date, with calls of these attempts. @throws HubError */
  readonly run: (attempts: Attempts) => Promise<void>;
  /** @returns whether to try again */
  readonly onError: (error: HubError) => boolean;
  /** Called when connections ended right after it, and it pauses for a while. @default nothing */
  readonly onSuspended?: (error: HubError) => void;
  /** Longest pause between two tries, in milliseconds. @default 3,000 */
  readonly longestPauseMs?: number;
}

/** Keeps something in sync with the service. One run at a time; requests during a run cause one more run. */
export class Sync {
  readonly #options: SyncOptions;
  #attempts: Attempts;
  #isRunning = false;
  #again = false;
  #closed = false;
  #suspensions = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#attempts = new Attempts(options.caller);
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Called after each connect, and when something is missing. */
  request(): void {
    this.#again = true;
    if (!this.#isRunning && !this.#attempts.areOver) void this.#runUntilLevel();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #runUntilLevel(): Promise<void> {
    const { caller, longestPauseMs } = this.#options;
    const backoff = new Backoff(longestPauseMs);
    this.#isRunning = true;
    while (this.#again && !this.#closed && !this.#attempts.areOver && caller.connected) {
      this.#again = false;
      if (await this.#runOnce()) continue;
      this.#again = true;
      await backoff.pause();
    }
    // In the same step as the last check of `again`. Otherwise a request in between would be lost.
    this.#isRunning = false;
  }

  /** @returns whether no other try is needed */
  async #runOnce(): Promise<boolean> {
    const { run, onError, notifier } = this.#options;
    try {
      await run(this.#attempts);
      this.#suspensions = 0;
      return true;
    } catch (error) {
      if (this.#attempts.areOver) {
        this.#suspend();
        return true;
      }
      if (error instanceof HubError) return !onError(error);
      // No reply of the service leads to this error. It is a bug of the client, and must be reported.
      notifier.report(error);
      return false;
    }
  }

  #suspend(): void {
    const pauseMs = Math.min(longestSuspensionMs, firstSuspensionMs * 2 ** this.#suspensions);
    this.#suspensions += 1;
    this.#timer = setTimeout(() => {
      this.#attempts = new Attempts(this.#options.caller);
      this.request();
    }, pauseMs);
    const message = `the connection ended right behind this, each time: it is tried again in ${pauseMs / 1_000} s`;
    this.#options.onSuspended?.(new HubError({ code: 'unavailable', message }));
  }
}
