import type { ModelRole } from './environment.ts';
import { modelVariables, agentEnvironment as names } from './names.ts';

/**
 * Longest quote of an API's message, in characters. The beginning says what is wrong, and some APIs send a whole page.
 */
const longestQuote = 300;

/** Each function explains why a model did not answer, and what to do. */
export function refused(role: ModelRole, status: number, body: string): string {
  return `it answered ${status} (${quoteOf(body)}): ${remedyOf(role, status)}`;
}

export function noAnswer(ms: number): string {
  return `no answer in ${ms / 1_000} s: is the API overloaded? ${names.voiceApiTimeoutSeconds} gives a slow model longer`;
}

export function stalled(ms: number): string {
  return `its answer began and was not whole after ${ms / 1_000} s: is the API, or the way to it, overloaded?`;
}

export function unreachable(error: Error): string {
  const cause = (error.cause ?? error) as NodeJS.ErrnoException;
  const why = cause.code ?? cause.message;
  return `can't be reached (${why}): look at ${names.voiceApiUrl}, and at what the network lets out; on AWS that is TCP 443`;
}

export function webPage(): string {
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
