import { bucketTags } from './buckets.ts';

/** What was answered, and why not all: what fails on one shard does not keep the others from being asked. */
export interface Settled<T> {
  readonly answers: readonly T[];
  /** What failed first; undefined: nothing did. */
  readonly fault: unknown;
}

/**
 * Asks in all buckets at once, or in some. What `ask` sends before it waits leaves in one write for each shard.
 * @param buckets @default all
 */
export function askBuckets<T>(
  ask: (bucket: string) => Promise<T>,
  buckets: Iterable<string> = bucketTags,
): Promise<Settled<T>> {
  return settleAll(Array.from(buckets, (bucket) => ask(bucket)));
}

/** The same with so many at a time, for what would hold up everybody else. */
export async function settleInPortions<T, R>(
  all: readonly T[],
  atOnce: number,
  act: (one: T) => Promise<R>,
): Promise<Settled<R>> {
  const answers: R[] = [];
  let firstFault: unknown;
  for (let start = 0; start < all.length; start += atOnce) {
    const settled = await settleAll(all.slice(start, start + atOnce).map(act));
    answers.push(...settled.answers);
    firstFault ??= settled.fault;
  }
  return { answers, fault: firstFault };
}

export async function settleAll<T>(all: readonly Promise<T>[]): Promise<Settled<T>> {
  const outcomes = await Promise.allSettled(all);
  return {
    answers: outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])),
    fault: outcomes.find((outcome) => outcome.status === 'rejected')?.reason,
  };
}

/** @throws the first of them that is one */
export function throwFirst(...faults: readonly unknown[]): void {
  for (const fault of faults) if (fault !== undefined) throw fault;
}
