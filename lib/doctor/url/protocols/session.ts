import type { Cookie } from '../../../verify/checks/connecting/cookie-sessions.ts';
import type { HttpResponse } from '../../../verify/target/request.ts';

/** Longest wait for one response, in milliseconds. */
export const patienceMs = 5_000;

/** The server did not open a session. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly response: HttpResponse;

  constructor(response: HttpResponse) {
    super(`HTTP ${response.status} ${response.body.slice(0, 120)}`.trim());
    this.response = response;
  }
}

/** The header `Cookie`, if there is one. */
export function cookieHeader(cookies: readonly Cookie[]): Record<string, string> {
  return cookies.length === 0 ? {} : { cookie: cookies.map(({ pair }) => pair).join('; ') };
}

/** Which cookies of its first response a client sends back. */
export interface Relation {
  headersOf(cookies: readonly Cookie[]): Readonly<Record<string, string>>;
}

/** A session, and what its later requests got: nothing, or the words of a rejection. */
export interface Attempt {
  readonly cookies: readonly Cookie[];
  readonly answers: readonly string[];
}

/** Sessions that were opened at once. */
export interface Sessions {
  readonly number: number;
  readonly requests: number;
  /** Requests that no instance knew. */
  readonly astray: number;
  /** What the first of them got. */
  readonly words: string;
  readonly cookies: readonly Cookie[];
}

/** Enough that no proxy sends all of them right by chance; odd, so that two instances don't take turns in step. */
const sessionsAtOnce = 7;

/** @throws RefusedError if not even one was opened */
export async function trySessions(tryOne: () => Promise<Attempt>): Promise<Sessions> {
  const attempts = await Promise.all(Array.from({ length: sessionsAtOnce }, tryOne));
  const answers = attempts.flatMap((attempt) => attempt.answers);
  const astray = answers.filter((words) => words !== '');
  return {
    number: attempts.length,
    requests: answers.length,
    astray: astray.length,
    words: astray[0] ?? '',
    cookies: attempts.find(({ cookies }) => cookies.length > 0)?.cookies ?? [],
  };
}
