import type { LogFn, Logger } from 'pino';

type Arguments = Parameters<LogFn>;

interface Held {
  readonly until: number;
  written: number;
  /** Times it was said since it was written. */
  repeated: number;
  last?: { readonly logger: Logger; readonly method: LogFn; readonly args: Arguments; readonly at: string };
}

/** pino's number of `warn`: what is below it is bounded where it is written. */
const warn = 40;
const defaultWindowMs = 10_000;
/** Of one message in a window: what changes to and fro, such as Redis that is away and back, is logged in its order. */
const writtenAtOnce = 3;
/** Messages at once; whatever else is said in a window counts as one more. */
const mostMessages = 100;
const others = 'other messages';

/**
 * Writes the same warning or error a few times in a window: what is said again meanwhile is one line at its end, with
 * `repeated`, how often it was, and `lastAt`.
 */
export class LogDeduplication {
  readonly #windowMs: number;
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;

  constructor(windowMs = defaultWindowMs) {
    this.#windowMs = windowMs;
  }

  /** pino's hook. */
  log(logger: Logger, args: Arguments, method: LogFn, level: number): void {
    if (level < warn || !this.#holdsBack(logger, args, method, level)) method.apply(logger, args);
  }

  #holdsBack(logger: Logger, args: Arguments, method: LogFn, level: number): boolean {
    const key = this.#keyOf(args, level);
    const now = Date.now();
    const held = this.#held.get(key);
    if (!held || held.until <= now) {
      this.#write(held);
      this.#held.set(key, { until: now + this.#windowMs, written: 1, repeated: 0 });
      this.#expectEnd();
      return false;
    }
    held.written += 1;
    if (held.written <= writtenAtOnce) return false;
    held.repeated += 1;
    held.last = { logger, method, args, at: new Date(now).toISOString() };
    return true;
  }

  #keyOf(args: Arguments, level: number): string {
    const [first, second] = args as unknown as [unknown, unknown];
    const { err, reason } = (first ?? {}) as { err?: unknown; reason?: unknown };
    const error = first instanceof Error ? first : err;
    const because = error instanceof Error ? error.message : String(reason ?? '');
    const message = typeof first === 'string' ? first : String(second ?? '');
    const key = `${level}:${message}:${because}`.slice(0, 500);
    return this.#held.has(key) || this.#held.size < mostMessages ? key : others;
  }

  #expectEnd(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#endWindows();
    }, this.#windowMs).unref();
  }

  #endWindows(): void {
    const now = Date.now();
    for (const [key, held] of this.#held) {
      if (held.until > now) continue;
      this.#held.delete(key);
      this.#write(held);
    }
    if (this.#held.size > 0) this.#expectEnd();
  }

  #write(held: Held | undefined): void {
    if (!held?.last) return;
    const { logger, method, args, at } = held.last;
    method.apply(logger, withFields(args, { repeated: held.repeated, lastAt: at }));
  }
}

function withFields(args: Arguments, count: object): Arguments {
  const [first, ...rest] = args as unknown as [unknown, ...unknown[]];
  if (typeof first === 'string') return [count, first, ...rest] as unknown as Arguments;
  const fields = first instanceof Error ? { err: first } : (first as object);
  const message = first instanceof Error && rest.length === 0 ? [first.message] : rest;
  return [{ ...fields, ...count }, ...message] as unknown as Arguments;
}
