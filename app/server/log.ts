import { type Logger, pino } from 'pino';

/** Structured log on standard output, one JSON object a line, with the instance on each. */
export function createLog(level: string, instance: string): Logger {
  return pino({
    level,
    base: { instance },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}
