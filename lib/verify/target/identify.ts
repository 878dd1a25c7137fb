import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../../app/names.ts';
import { CannotVerifyError } from '../errors.ts';
import type { Patience } from '../wait.ts';
import { type HubProbe, probeHubs } from './hub-probe.ts';
import { describeOtherServer } from './other-server.ts';
import { type Readiness, readinessIn } from './readiness.ts';
import { adviseOn, describeError, type HttpResponse, sendRequest } from './request.ts';

/** The service, as far as it can be identified without a token. */
export interface Service {
  /** The reply of the hub `chat` to a client without a token. */
  readonly greeting: HubProbe;
  /** Whether it says that it has no Redis: one instance serves alone. */
  readonly isSingleInstance: boolean;
}

/**
 * Longest wait for one response, in milliseconds. For the same time a proxy without an instance is asked again,
 * because an instance may be restarting.
 */
export const longestMs = 5_000;
const askEveryMs = 500;
const hub = 'chat';

/**
 * Finds out within seconds whether this service answers at the URL. No secret is sent.
 *
 * @throws CannotVerifyError that says what answers instead, and what to do; the signal's reason if it is aborted
 */
export async function identify(url: string, { timeoutMs, signal }: Patience): Promise<Service> {
  const patience = { timeoutMs: Math.min(timeoutMs, longestMs), signal };
  const ready = await untilServed(url, patience);
  const readiness = readinessIn(ready);
  if (readiness !== undefined && ready.status === 503) throw notReady(url, readiness);
  const [greeting] = (await probeHubs(url, [hub], {}, patience)) as [HubProbe];
  if (isOurs(greeting)) return { greeting, isSingleInstance: readiness === 'single-instance' };
  // Its health endpoint identifies it. If no client gets through, the checks find out why.
  if (readiness !== undefined && greeting.outcome === 'no response') {
    return { greeting, isSingleInstance: readiness === 'single-instance' };
  }
  if (readiness !== undefined) throw anotherVersion(url, greeting);
  throw await describeOtherServer(url, { ready, greeting, patience });
}

/**
 * @param mayPass whether to try again after this error
 * @throws CannotVerifyError if nobody answers, or a proxy says for a while that it has no instance
 */
export async function untilServed(
  url: string,
  { timeoutMs, signal }: Patience,
  mayPass = (error: NodeJS.ErrnoException) => error.code === 'ECONNRESET',
): Promise<HttpResponse> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      const response = await sendRequest(paths.ready, url, { timeoutMs });
      const isServed = ![502, 503, 504].includes(response.status);
      const isOver = performance.now() > deadline;
      if (isServed || (isOver && readinessIn(response) !== undefined)) return response;
      if (isOver) throw withoutInstance(url, response);
    } catch (error) {
      if (error instanceof CannotVerifyError) throw error;
      if (performance.now() > deadline || !mayPass(error as Error)) throw unreachable(url, error as Error);
    }
    await delay(askEveryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Codes with which a hub of the service rejects a client without a token. */
const ownCodes = ['missing', 'invalid', 'expired', 'revoked', 'unavailable', 'rate_limited'];

function isOurs({ outcome, instance, code = '' }: HubProbe): boolean {
  if (outcome === 'accepted') return instance !== undefined;
  return outcome === 'rejected' && ownCodes.includes(code);
}

function unreachable(url: string, error: Error): CannotVerifyError {
  return new CannotVerifyError(
    'unreachable',
    `${url} can't be reached: ${describeError(error)}. ${adviseOn(error, url)}`,
  );
}

function withoutInstance(url: string, { status, headers }: HttpResponse): CannotVerifyError {
  const server = headers.server === undefined ? '' : ` (${headers.server})`;
  return new CannotVerifyError(
    'unreachable',
    `A proxy at ${url}${server} answers HTTP ${status}: it reaches no instance. Look at its list of targets and their health, and ask each instance alone for ${paths.ready}.`,
  );
}

function notReady(url: string, readiness: Readiness): CannotVerifyError {
  const cause =
    readiness === 'starting'
      ? 'it has not reached its Redis yet: its log says why; REDIS_URL=none lets one instance serve alone'
      : 'the instance that answers is leaving: start another one, or wait for its successor';
  return new CannotVerifyError(
    'unreachable',
    `The service at ${url} takes no clients: ${paths.ready} says ${readiness}. Likely ${cause}.`,
  );
}

function anotherVersion(url: string, { outcome, words }: HubProbe): CannotVerifyError {
  const said =
    outcome === 'accepted'
      ? 'its hub chat lets clients in without a welcome'
      : outcome === 'no such hub'
        ? 'it has no hub chat'
        : `its hub chat rejects clients in words that are not known here: ${words}`;
  return new CannotVerifyError(
    'not-ours',
    `At ${url} the health checks are this service's, and ${said}. It is another version, or its hubs were changed: take the \`verify\` of the version that runs there, or deploy this one.`,
  );
}
