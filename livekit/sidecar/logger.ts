import type { SidecarMetric } from './names.ts';

/** Writes a JSON object in each line of standard output. */
export interface Logger {
  info(message: string, more?: object): void;
  warn(message: string, more?: object): void;
  /** Writes metrics in CloudWatch's embedded metric format. Without a namespace it writes nothing. */
  metrics(values: Partial<Record<SidecarMetric, number>>): void;
}

export interface LoggerOptions {
  readonly namespace: string | undefined;
  readonly dimensions: Readonly<Record<string, string>>;
  /** @default - standard output */
  readonly write?: (line: string) => void;
}

export function createLogger({ namespace, dimensions, write = writeOut }: LoggerOptions): Logger {
  const writeLine = (level: string, message: string, more: object = {}) =>
    write(JSON.stringify({ level, time: new Date().toISOString(), ...more, msg: message }));
  return {
    info: (message, more) => writeLine('info', message, more),
    warn: (message, more) => writeLine('warn', message, more),
    metrics: (values) => {
      if (namespace === undefined || Object.keys(values).length === 0) return;
      const directive = {
        Namespace: namespace,
        Dimensions: [Object.keys(dimensions)],
        Metrics: Object.keys(values).map((Name) => ({ Name, Unit: 'Count' })),
      };
      const aws = { Timestamp: Date.now(), CloudWatchMetrics: [directive] };
      write(JSON.stringify({ _aws: aws, ...dimensions, ...values }));
    },
  };
}

function writeOut(line: string): void {
  process.stdout.write(`${line}\n`);
}
