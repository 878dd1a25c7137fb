import type { SidecarMetric } from './names.ts';

/** One JSON object a line, on standard output. */
export interface Log {
  info(message: string, more?: object): void;
  warn(message: string, more?: object): void;
  /** In CloudWatch's embedded metric format; nothing where no namespace is set. */
  metrics(values: Partial<Record<SidecarMetric, number>>): void;
}

export interface LogOptions {
  readonly namespace: string | undefined;
  readonly dimensions: Readonly<Record<string, string>>;
  /** @default standard output */
  readonly write?: (line: string) => void;
}

export function createLog({ namespace, dimensions, write = writeOut }: LogOptions): Log {
  const say = (level: string, message: string, more: object = {}) =>
    write(JSON.stringify({ level, time: new Date().toISOString(), ...more, msg: message }));
  return {
    info: (message, more) => say('info', message, more),
    warn: (message, more) => say('warn', message, more),
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
