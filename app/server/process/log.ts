import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { LogDeduplication } from './log-deduplication.ts';
import { withSourceLines } from './source-lines.ts';

/**
 * Structured log on standard output, one JSON object a line, with the instance on each. No secret reaches it, and a
 * warning that is said again and again is counted instead.
 *
 * @param destination @default standard output
 */
export function createLog(level: string, instance: string, destination?: DestinationStream): Logger {
  const deduplication = new LogDeduplication();
  const options: LoggerOptions = {
    level,
    base: { instance },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: {
      err: (error: unknown) => serializeError(error),
      error: (error: unknown) => serializeError(error),
      req: serializeRequest,
      res: serializeResponse,
    },
    hooks: {
      logMethod(args, method, number) {
        deduplication.log(this, args, method, number);
      },
      streamWrite: redact,
    },
  };
  return destination ? pino(options, destination) : pino(options);
}

const hidden = '[redacted]';

const secretName =
  '(?:[\\w-]{0,40}(?:authorization|cookie|token|secret|password|passphrase|api-?key)|auth|pass)';

/** A member of an object whose name is that of a secret; its value a text or a list. */
const secretMember = new RegExp(
  `("${secretName}"\\s{0,4}:\\s{0,4})(?:"(?:[^"\\\\]|\\\\.){0,20000}"|\\[[^\\]]{0,20000}\\])`,
  'gi',
);

/** The same in JSON that stands in a string: its quotes have the backslashes that the name's have. */
const quotedSecretMember = new RegExp(
  `((\\\\{1,15})"${secretName}\\2"\\s{0,4}:\\s{0,4})\\2".{0,2000}?(?<!\\\\)\\2"`,
  'gi',
);

const secretShapes: readonly (readonly [RegExp, string])[] = [
  [secretMember, `$1"${hidden}"`],
  [quotedSecretMember, `$1$2"${hidden}$2"`],
  // Credentials in a URL: `redis://user:password@host`.
  [/(\b[a-z][a-z0-9+.-]{0,15}:\/\/)[^\s"/]{0,500}@/gi, `$1${hidden}@`],
  [/\b(Bearer|Basic) [\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // A JWT: its header is JSON, which begins so in base64.
  [/\beyJ[\w-]{5,500}\.[\w-]{5,8000}\.[\w-]*/g, hidden],
  // `password=…` of a connection string, `token=…` of a query, an environment's `AUTH_SECRET=…`.
  [/\b([\w-]{0,40}(?:token|secret|password|api-?key))=[^\s&;,"\\]+/gi, `$1=${hidden}`],
];

/**
 * Takes secrets out of a finished line, whatever put them there: a header of a request, an argument of a command, a
 * URL in an error's message. The values' names decide, and the shapes of what is always a secret. Each repetition is
 * bounded: a line may hold what a stranger sent.
 *
 * @param line JSON and a line feed
 * @returns the same
 */
export function redact(line: string): string {
  let text = line;
  for (const [shape, replacement] of secretShapes) text = text.replace(shape, replacement);
  return text === line || isJson(text) ? text : withheld;
}

const withheld = '{"level":"error","msg":"a line was withheld: secrets could not be taken out of it"}\n';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

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

function serializeError(error: unknown, depth = 0): unknown {
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
function serializeRequest({ method, url, ip }: RequestLike): object {
  return { method, path: url?.split('?', 1)[0], address: ip };
}

function serializeResponse({ statusCode }: { readonly statusCode?: number }): object {
  return { status: statusCode };
}
