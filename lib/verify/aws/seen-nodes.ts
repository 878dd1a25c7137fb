import { type Minute, minuteMs } from './sidecar-metrics.ts';

/** Older than that nobody writes: CloudWatch shows what stands in a log within one or two, as a rule. */
export const staleMinutes = 5;

/** Within three of them each sidecar has written twice at least. */
export const judgedMinutes = 3;

/** What sidecars told last of the nodes that live in Redis. */
export interface SeenNodes {
  /** As the sidecar says that sees the fewest. */
  readonly least: number;
  /** As the one says that sees the most. */
  readonly most: number;
  /** How many of them told it. */
  readonly sidecars: number;
  readonly from: Date;
  readonly to: Date;
}

/** @param minutes of `LiveNodes`, the newest first */
export function seenIn(minutes: readonly Minute[]): SeenNodes | undefined {
  const [newest] = minutes;
  if (!newest) return undefined;
  const from = new Date(newest.at.getTime() - (judgedMinutes - 1) * minuteMs);
  const judged = minutes.filter(({ at }) => at >= from);
  return {
    least: Math.min(...judged.map(({ least }) => least)),
    most: Math.max(...judged.map(({ most }) => most)),
    sidecars: Math.max(...judged.map(({ samples }) => samples)),
    from,
    to: new Date(newest.at.getTime() + minuteMs),
  };
}

export function isStale({ to }: SeenNodes): boolean {
  return Date.now() - to.getTime() > staleMinutes * minuteMs;
}
