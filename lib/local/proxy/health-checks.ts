import { type ClientRequest, get } from 'node:http';
import type { Health, Target } from './targets.ts';

export interface HealthCheckOptions {
  /** @default '/health/ready' */
  readonly path?: string;
  /** From one check's end to the next, in milliseconds. @default 1000 */
  readonly intervalMs?: number;
  /** How long a target may take to answer, in milliseconds. @default 2000 */
  readonly timeoutMs?: number;
  /** Passes in a row that bring an unhealthy target back. @default 2 */
  readonly healthyThreshold?: number;
  /** Failures in a row that take a healthy target out. @default 3 */
  readonly unhealthyThreshold?: number;
  /** The statuses that pass. @default [200] */
  readonly matcher?: readonly number[];
}

/** An ALB checks every 30 s; here a change shows within seconds. */
export const healthCheckDefaults: Required<HealthCheckOptions> = {
  path: '/health/ready',
  intervalMs: 1000,
  timeoutMs: 2000,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
  matcher: [200],
};

/** The interval of a new target's first checks in milliseconds, so short that a start waits for the target alone. */
const firstIntervalMs = 25;

/**
 * The health after one more check. One pass brings a new target into service; it becomes unhealthy only when checks at
 * the usual interval would have failed often enough.
 */
export function healthAfter(
  target: Pick<Target, 'health' | 'passes' | 'failures'>,
  ageMs: number,
  options: Required<HealthCheckOptions>,
): Health {
  const { healthyThreshold, unhealthyThreshold, intervalMs } = options;
  switch (target.health) {
    case 'initial':
      if (target.passes > 0) return 'healthy';
      return ageMs >= unhealthyThreshold * intervalMs ? 'unhealthy' : 'initial';
    case 'healthy':
      return target.failures >= unhealthyThreshold ? 'unhealthy' : 'healthy';
    case 'unhealthy':
      return target.passes >= healthyThreshold ? 'healthy' : 'unhealthy';
    case 'draining':
      return 'draining';
  }
}

/** Checks each target at intervals, and sets its health by the answers. */
export class HealthChecks {
  readonly #options: Required<HealthCheckOptions>;
  readonly #onChange: (target: Target) => void;
  readonly #watched = new Map<Target, Watch>();

  constructor(options: HealthCheckOptions, onChange: (target: Target) => void) {
    this.#options = { ...healthCheckDefaults, ...options };
    this.#onChange = onChange;
  }

  watch(target: Target): void {
    const watch: Watch = {};
    this.#watched.set(target, watch);
    this.#check(target, watch);
  }

  unwatch(target: Target): void {
    const watch = this.#watched.get(target);
    this.#watched.delete(target);
    clearTimeout(watch?.timer);
    watch?.request?.destroy();
  }

  close(): void {
    for (const target of [...this.#watched.keys()]) this.unwatch(target);
  }

  #check(target: Target, watch: Watch): void {
    const { intervalMs } = this.#options;
    watch.request = check(target, this.#options, (passed) => {
      if (!this.#watched.has(target)) return;
      this.#record(target, passed);
      const wait = target.health === 'initial' ? Math.min(firstIntervalMs, intervalMs) : intervalMs;
      watch.timer = setTimeout(() => this.#check(target, watch), wait);
    });
  }

  #record(target: Target, passed: boolean): void {
    target.passes = passed ? target.passes + 1 : 0;
    target.failures = passed ? 0 : target.failures + 1;
    const health = healthAfter(target, performance.now() - target.registeredAt, this.#options);
    if (health === target.health) return;
    target.health = health;
    this.#onChange(target);
  }
}

/** The check of one target that is under way or planned. */
interface Watch {
  timer?: NodeJS.Timeout;
  request?: ClientRequest;
}

/** Calls back once, whatever comes of it. */
function check(
  target: Target,
  options: Required<HealthCheckOptions>,
  done: (passed: boolean) => void,
): ClientRequest {
  let passed = false;
  const request = get({
    host: target.host,
    port: target.port,
    path: options.path,
    agent: false,
    headers: { 'user-agent': 'ELB-HealthChecker/2.0' },
  });
  const timer = setTimeout(() => request.destroy(), options.timeoutMs);
  request.on('response', (response) => {
    passed = options.matcher.includes(response.statusCode ?? 0);
    request.destroy();
  });
  request.on('error', () => {});
  request.on('close', () => {
    clearTimeout(timer);
    done(passed);
  });
  return request;
}
