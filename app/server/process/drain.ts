import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

/** A client's connection as far as a drain needs it. */
export interface DrainedConnection {
  /** @param discard true: at once; else what it was sent already goes out first */
  close(discard?: boolean): void;
}

export interface DrainOptions<Connection extends DrainedConnection> {
  /** The connections that are open at the moment, each time it is iterated. */
  readonly connections: Iterable<Connection> & { readonly count: number };
  /** Over how many seconds they are closed. */
  readonly seconds: number;
  /** From one batch to the next, in milliseconds. @default 100 */
  readonly tickMs?: number;
  /** How long the last ones may take for their goodbye, in milliseconds. @default lingerMs */
  readonly lingerMs?: number;
}

/**
 * A connection that was asked to go sends what it was owed first, and one that polls is asked by its next poll. Who
 * has not gone by then is cut off.
 */
const lingerMs = 3_000;

const defaultTickMs = 100;

/**
 * Closes every connection, in random order and at an even pace, so that clients come back elsewhere one after the
 * other. It closes transports and never a Socket.IO session: a client whose session is ended does not come back.
 *
 * Few connections take less than the time that there is: one a batch is no burst. Resolves when none is left.
 */
export async function drain<Connection extends DrainedConnection>(
  options: DrainOptions<Connection>,
): Promise<void> {
  const { connections, seconds, tickMs = defaultTickMs } = options;
  const asked = new WeakSet<Connection>();
  const ticks = Math.max(1, Math.floor((seconds * 1_000) / tickMs));
  for (let tick = 0; ; tick += 1) {
    const waiting = [...connections].filter((connection) => !asked.has(connection));
    if (waiting.length === 0) break;
    const size = Math.ceil(waiting.length / Math.max(1, ticks - tick));
    for (const connection of shuffled(waiting).slice(0, size)) {
      asked.add(connection);
      connection.close();
    }
    // Time that was lost is not made up for: that would be a burst.
    if (waiting.length > size) await delay(tickMs);
  }
  await lastOnes(options);
}

async function lastOnes<Connection extends DrainedConnection>(
  options: DrainOptions<Connection>,
): Promise<void> {
  const { connections, tickMs = defaultTickMs } = options;
  const until = performance.now() + (options.lingerMs ?? lingerMs);
  while (connections.count > 0 && performance.now() < until) await delay(Math.min(tickMs, 50));
  for (const connection of [...connections]) connection.close(true);
}

/** @returns the same ones in random order */
function shuffled<T>(all: readonly T[]): T[] {
  const order = [...all];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}

/** What a signal does to a service. */
interface Leaving {
  drain(): Promise<void>;
  stop(): Promise<void>;
}

interface SignalOptions {
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
