import type { Asked } from './conditional-append.ts';

/**
 * Evaluates, in the same step as an append, whether there is one and what its body is. It may change state of
 * its own in that step: who reads the log and who reads that state never see one without the other.
 */
export interface Precondition extends Asked {
  /** How a log in memory evaluates it. */
  readonly evaluate: () => Evaluation;
}

/** What to append, as JSON text; or why nothing is, in a word. */
export type Evaluation = { readonly body: string } | Rejected;

export interface Rejected {
  readonly rejected: string;
}
