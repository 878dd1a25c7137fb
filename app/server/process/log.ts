import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { LogDeduplication } from './log-deduplication.ts';
import { redact } from './redaction.ts';
import { serializeError, serializeRequest, serializeResponse } from './serializers.ts';

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
