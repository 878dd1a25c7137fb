import type { ConditionalAppend } from './conditional-append.ts';

/**
 * Decides, in the same step as an append, whether there is one and what its body is. It may change state of
 * its own in that step: who reads the log and who reads that state never see one without the other.
 */
export interface Condition {
  /** How Redis decides, with keys and arguments of its own. */
  readonly script: ConditionalAppend;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** How a log in memory decides. */
  readonly decide: () => Decision;
}

/** What to append, as JSON text; or why nothing is, in a word. */
export type Decision = { readonly body: string } | Withheld;

export interface Withheld {
  readonly withheld: string;
}
