import { withSourceLines } from './source-lines.ts';

/** What of an error is logged; an error may carry more, as ioredis' do the command with its arguments. */
interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string | number;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

/** Causes of causes. */
const deepest = 4;
const mostErrors = 5;

export function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  const logged: LoggedError = {
    type: name,
    message,
    stack: stack === undefined ? undefined : withSourceLines(stack),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause === undefined || depth === deepest ? {} : { cause: causeOf(cause, depth) }),
    ...(error instanceof AggregateError && depth < deepest
      ? { errors: error.errors.slice(0, mostErrors).map((each) => serializeError(each, depth + 1)) }
      : {}),
  };
  return logged;
}

/** A cause may be anything; of what is no error the kind is logged. */
function causeOf(cause: unknown, depth: number): unknown {
  return cause instanceof Error ? serializeError(cause, depth + 1) : typeof cause;
}

interface RequestLike {
  readonly method?: string;
  readonly url?: string;
  readonly ip?: string;
}

/** No headers, and the path without its query. */
export function serializeRequest({ method, url, ip }: RequestLike): object {
  return { method, path: url?.split('?', 1)[0], address: ip };
}

export function serializeResponse({ statusCode }: { readonly statusCode?: number }): object {
  return { status: statusCode };
}
