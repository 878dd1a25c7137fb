import type { FinalState } from '../../protocol/answers.ts';
import type { ModelFault } from '../models/provider.ts';

/** How a turn ends. */
export interface Ending {
  readonly state: FinalState;
  /** In words for the reader. */
  readonly reason?: string | undefined;
  /** All that the owner has made; absent where another than the owner ends it: then the log's side knows the text. */
  readonly whole?: { readonly text: string; readonly seq: number };
}

/** What users read of a model's fault; the log says more. */
export const reasonsOfFaults: Readonly<Record<ModelFault, string>> = {
  busy: 'the model is busy: ask again later',
  misconfigured: "the model can't be used now: whoever runs this service can see why",
  rejected: 'the model does not take this question',
  broken: 'the model broke off: ask again',
};
