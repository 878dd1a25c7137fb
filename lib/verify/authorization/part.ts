import type { Fault } from '../check.ts';

/** What one part of the check found. */
export interface Part {
  readonly proved: readonly string[];
  readonly notProved: readonly string[];
  readonly faults: readonly Fault[];
}

export const nothing: Part = { proved: [], notProved: [], faults: [] };

export function proved(words: string): Part {
  return { ...nothing, proved: [words] };
}

export function notProved(words: string): Part {
  return { ...nothing, notProved: [words] };
}

export function failed(...faults: readonly Fault[]): Part {
  return { ...nothing, faults };
}

export function joined(parts: readonly Part[]): Part {
  return {
    proved: parts.flatMap((part) => part.proved),
    notProved: parts.flatMap((part) => part.notProved),
    faults: parts.flatMap((part) => part.faults),
  };
}
