import { Counter, Gauge, type Registry } from 'prom-client';

/** Values of one family, each with its labels. */
export type Samples = Iterable<readonly [labels: Record<string, string>, value: number]>;

export interface Family {
  readonly name: string;
  /** What it counts, and what a rise means. */
  readonly help: string;
  readonly labels?: readonly string[];
}

/** A counter whose value is kept elsewhere, as a plain number, and read when it is scraped. */
export function counterOf(
  registry: Registry,
  { name, help, labels = [] }: Family,
  read: () => Samples,
): void {
  new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset();
      for (const [values, total] of read()) this.inc(values, total);
    },
  });
}

/** A gauge that is read when it is scraped; what is not among the samples is gone. */
export function gaugeOf(registry: Registry, { name, help, labels = [] }: Family, read: () => Samples): void {
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset();
      for (const [values, value] of read()) this.set(values, value);
    },
  });
}

/** A single value without labels. */
export function one(value: number): Samples {
  return [[{}, value]];
}
