import { setTimeout as delay } from 'node:timers/promises';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { modelVariables, agentEnvironment as names } from './names.ts';

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

/**
 * Longest quote of an API's message, in characters. The beginning says what is wrong, and some APIs send a whole page.
 */
const longestQuote = 300;

/** Each function explains why a model did not answer, and what to do. */
function refused(role: ModelRole, status: number, body: string): string {
  return `it answered ${status} (${quoteOf(body)}): ${remedyOf(role, status)}`;
}

function noAnswer(ms: number): string {
  return `no answer in ${ms / 1_000} s: is the API overloaded? ${names.voiceApiTimeoutSeconds} gives a slow model longer`;
}

function stalled(ms: number): string {
  return `its answer began and was not whole after ${ms / 1_000} s: is the API, or the way to it, overloaded?`;
}

function unreachable(error: Error): string {
  const cause = (error.cause ?? error) as NodeJS.ErrnoException;
  const why = cause.code ?? cause.message;
  return `can't be reached (${why}): look at ${names.voiceApiUrl}, and at what the network lets out; on AWS that is TCP 443`;
}

function webPage(): string {
  return `it answered with a web page: ${names.voiceApiUrl} is not that of an API; most end in /v1`;
}

function remedyOf(role: ModelRole, status: number): string {
  const variable = modelVariables[role];
  if (status === 401 || status === 403) return `give ${names.voiceApiKey} a key that may use this model`;
  if (status === 404) return `look at ${variable}, and at ${names.voiceApiUrl}: most end in /v1`;
  if (status === 429) return 'raise the limits of the account, or pay its bill';
  if (status >= 500) return 'it failed twice; if it goes on, look at the status page or the log of the API';
  return `look at ${variable}: it may be no model for this`;
}

/** OpenAI's shape is `{"error": {"message": …}}`. Other APIs use other shapes. */
function quoteOf(body: string): string {
  return (messageIn(body) ?? body).replaceAll(/\s+/g, ' ').trim().slice(0, longestQuote) || 'no reason given';
}

function messageIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: string } };
    return error?.message;
  } catch {
    return undefined;
  }
}
