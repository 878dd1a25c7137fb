import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Registry } from 'prom-client';
import { gaugeOf } from './families.ts';

/** One look at the event loop, in milliseconds that a timer came late. */
interface Lag {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** 50 looks a second: fine enough for what a client notices, and no load. */
const resolutionMs = 20;
const windowMs = 10_000;
/** Of a minute and a bit, so that nobody who takes them each minute misses one. */
const mostWindows = 8;

/**
 * How late the event loop is, in windows of 10 s: each reader sees the last whole one, and none ends another's, as
 * it would if a scrape began a new one.
 */
export class EventLoopLag {
  readonly #monitor: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #timer: NodeJS.Timeout;
  #last: Lag | undefined;
  #p99s: number[] = [];

  constructor(registry: Registry) {
    this.#monitor.enable();
    this.#timer = setInterval(() => this.#endWindow(), windowMs).unref();
    gaugeOf(
      registry,
      {
        name: 'realtime_event_loop_lag_seconds',
        help: 'How late timers came in the last whole 10 s. A rise of p99: too much work for one core, all clients wait; of max alone: single long tasks or garbage collections',
        labels: ['quantile'],
      },
      () => {
        const { p50, p99, max } = this.#last ?? this.#read();
        return [
          [{ quantile: '0.5' }, p50 / 1000],
          [{ quantile: '0.99' }, p99 / 1000],
          [{ quantile: '1' }, max / 1000],
        ] as const;
      },
    );
  }

  /** The 99th percentile of each window since they were last taken, and of the one that is not over, in milliseconds. */
  takeP99s(): number[] {
    const taken = [...this.#p99s, this.#read().p99];
    this.#p99s = [];
    return taken;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#monitor.disable();
  }

  #endWindow(): void {
    this.#last = this.#read();
    this.#p99s = [...this.#p99s, this.#last.p99].slice(-mostWindows);
    this.#monitor.reset();
  }

  /** Node records from timer to timer: what is beyond the interval is late. Nanoseconds. */
  #read(): Lag {
    if (this.#monitor.count === 0) return { p50: 0, p99: 0, max: 0 };
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
    const monitor = this.#monitor;
    return { p50: late(monitor.percentile(50)), p99: late(monitor.percentile(99)), max: late(monitor.max) };
  }
}
