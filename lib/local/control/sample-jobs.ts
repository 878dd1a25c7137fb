import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** The updates of a sample job, in order. */
const scripts = {
  bots: () =>
    Array.from({ length: 12 }, (_, step) => ({
      status: step === 11 ? 'stopped' : 'running',
      text:
        step === 11
          ? 'closed all positions'
          : `${step % 2 ? 'sold' : 'bought'} ${1 + step} at ${priceAt(step)}`,
    })),
  backtests: () =>
    Array.from({ length: 12 }, (_, step) => ({
      status: step === 11 ? 'done' : 'running',
      progress: (step + 1) / 12,
      text: step === 11 ? 'return 14.2 %, drawdown 3.1 %' : `month ${step + 1} of 12`,
    })),
} as const;

export type SampleHub = keyof typeof scripts;

export function isSampleHub(name: string): name is SampleHub {
  return Object.hasOwn(scripts, name);
}

export interface SampleJobOptions {
  /** The load balancer's address. */
  readonly url: string;
  readonly serviceToken: string;
  readonly hub: SampleHub;
  readonly room: string;
  readonly signal: AbortSignal;
  /** Milliseconds from one update to the next. @default 700 */
  readonly paceMs?: number;
}

/**
 * Feeds a room as a backend would: publishes updates over HTTP, each with an id of its own, so that one without an answer
 * can be sent again.
 */
export async function runSampleJob({ hub, paceMs = 700, ...options }: SampleJobOptions): Promise<void> {
  const job = randomUUID();
  const from = `${hub === 'bots' ? 'bot' : 'job'} ${job.slice(0, 4)}`;
  for (const [step, body] of scripts[hub]().entries()) {
    await publish({ hub, ...options }, { id: `${job}:${step}`, from, body });
    await delay(paceMs, undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal.aborted) return;
  }
}

/** How long one update is retried, in milliseconds; the service remembers its id for two minutes. */
const tryForMs = 60_000;

async function publish(
  { url, serviceToken, hub, room, signal }: Omit<SampleJobOptions, 'paceMs'>,
  message: object,
): Promise<void> {
  const target = new URL(`/api/hubs/${hub}/rooms/${encodeURIComponent(room)}/messages`, url);
  const until = Date.now() + tryForMs;
  while (Date.now() < until && !signal.aborted) {
    const status = await fetch(target, {
      method: 'POST',
      headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal,
    }).then(
      async (response) => {
        await response.body?.cancel();
        return response.status;
      },
      () => 503,
    );
    if (status < 500) return;
    await delay(500);
  }
}

function priceAt(step: number): string {
  return (100 + Math.sin(step) * 3).toFixed(2);
}
