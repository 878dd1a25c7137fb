import { setTimeout as delay } from 'node:timers/promises';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { noAnswer, refused, stalled, unreachable, webPage } from './model-faults.ts';

type ModelPatience = Pick<VoiceSettings, 'apiKey' | 'timeoutMs'>;

/** A second try is enough for a stale connection or a single 5xx. Whatever else fails is reported to the caller. */
const attempts = 2;
const retryMs = 250;

/**
 * Longest time for an answer that has begun, in milliseconds. It is the sound of a sentence, or a few sentences of
 * text.
 */
const wholeAnswerMs = 30_000;

/** The longest that one request takes, however it ends. */
export function longestQuestionMs({ timeoutMs }: Pick<VoiceSettings, 'timeoutMs'>): number {
  return timeoutMs + wholeAnswerMs;
}

/**
 * Replaces `fetch` for one model. If a request fails, it returns an error response that says why and what to do,
 * because the framework loses the cause of an error that is thrown.
 */
export function modelFetch(role: ModelRole, { apiKey, timeoutMs }: ModelPatience): typeof fetch {
  /** An API may quote the key that it rejects. */
  const said = async (response: Response) => (await response.text()).replaceAll(apiKey, '[the key]');
  return async (url, init = {}) => {
    const ending = new AbortController();
    init.signal?.addEventListener('abort', () => ending.abort(init.signal?.reason), { once: true });
    const endAfter = (ms: number, fault: string) =>
      setTimeout(() => ending.abort(new Error(fault)), ms).unref();
    const patience = endAfter(timeoutMs, noAnswer(timeoutMs));
    try {
      const response = await askTwice(url, { ...init, signal: ending.signal });
      endAfter(wholeAnswerMs, stalled(wholeAnswerMs));
      if (isWebPage(response)) return failure(502, webPage());
      return response.ok
        ? response
        : failure(response.status, refused(role, response.status, await said(response)));
    } catch (error) {
      if (init.signal?.aborted) throw error;
      const hasWaited = ending.signal.aborted;
      return hasWaited ? failure(504, (error as Error).message) : failure(502, unreachable(error as Error));
    } finally {
      clearTimeout(patience);
    }
  };
}

async function askTwice(url: string | URL | Request, init: RequestInit): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const isLast = attempt === attempts;
    try {
      const response = await fetch(url, init);
      if (response.status < 500 || isLast) return response;
      await response.body?.cancel();
    } catch (error) {
      if (isLast || init.signal?.aborted) throw error;
    }
    await delay(retryMs, undefined, { signal: init.signal ?? undefined });
  }
}

function isWebPage({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/html') ?? false;
}

/** An error in the shape of the API's own errors. If the API sent no status, it has that of a gateway. */
function failure(status: number, message: string): Response {
  return Response.json({ error: { message } }, { status });
}
