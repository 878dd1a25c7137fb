import type { Logger } from 'pino';
import { lingerMs } from './drain.ts';

/** What a signal does to a service. */
export interface Leaving {
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export interface SignalOptions {
  readonly service: Leaving;
  readonly drainSeconds: number;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** Hubs, the socket server, HTTP and Redis are closed within this, in milliseconds, behind the drain. */
const closingMs = 15_000;
/** A second signal counts only after this many milliseconds: npm passes on what the terminal sent already. */
const doubledSignalMs = 500;

/** @returns the longest wait for a tidy end before the process leaves anyway, in milliseconds */
export function longestStopMs(drainSeconds: number): number {
  return drainSeconds * 1_000 + lingerMs + closingMs;
}

/**
 * SIGTERM and SIGINT drain and end the process; a second one ends it at once. SIGUSR2 drains and stays, as a task
 * does between its deregistration and its SIGTERM.
 */
export function leaveOnSignals({ service, drainSeconds, log }: SignalOptions): void {
  let firstAt: number | undefined;
  const leave = async (signal: NodeJS.Signals) => {
    if (firstAt !== undefined) {
      if (performance.now() - firstAt < doubledSignalMs) return;
      log.warn(`${signal} again: leaving at once`);
      process.exit(1);
    }
    firstAt = performance.now();
    log.info(`${signal}: draining`);
    endIn(longestStopMs(drainSeconds), log);
    await service.stop();
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', leave);
  process.on('SIGINT', leave);
  process.on('SIGUSR2', () => {
    log.info('SIGUSR2: draining');
    void service.drain();
  });
}

function endIn(ms: number, log: SignalOptions['log']): void {
  setTimeout(() => {
    log.error(`not stopped after ${ms / 1_000} s: leaving`);
    process.exit(1);
  }, ms).unref();
}
