import type { Child } from './children.ts';
import type { MemoryUse } from './servers/report.ts';

/** A server process that is measured. */
export interface Instance {
  readonly pid: number;
  readonly port: number;
  /** Microseconds of its CPU since its start. */
  cpu(): Promise<number>;
  /** Bytes of memory (RSS) now. */
  rss(): Promise<number>;
  /** What is held, as far as garbage can be collected before. */
  memory(): Promise<MemoryUse>;
  /** The process as one of Node, whose heap and profile can be asked for; undefined: it is none. */
  readonly node: Child | undefined;
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface InstanceOptions {
  readonly redisUrl: string;
  readonly name: string;
  readonly nodeOptions: readonly string[];
}
