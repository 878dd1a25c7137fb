import type { Fault } from '../../check.ts';

/** The results of one part of the check. */
export interface Findings {
  readonly proved: readonly string[];
  readonly notProved: readonly string[];
  readonly faults: readonly Fault[];
}

const nothing: Findings = { proved: [], notProved: [], faults: [] };

export function proved(words: string): Findings {
  return { ...nothing, proved: [words] };
}

export function notProved(words: string): Findings {
  return { ...nothing, notProved: [words] };
}

export function failed(...faults: readonly Fault[]): Findings {
  return { ...nothing, faults };
}

export function joined(all: readonly Findings[]): Findings {
  return {
    proved: all.flatMap((findings) => findings.proved),
    notProved: all.flatMap((findings) => findings.notProved),
    faults: all.flatMap((findings) => findings.faults),
  };
}
