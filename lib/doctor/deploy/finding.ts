import { type NotChecked, notChecked, type Passed } from '../finding.ts';

/** What one look at an account showed. */
export type Finding = Passed | Fault | NotChecked;

/** `failed` stands in the way of a deployment. `warned` may, or will some day. */
export interface Fault {
  readonly status: 'failed' | 'warned';
  readonly found: string;
  readonly needed: string;
  /** The command, or the place in the console. */
  readonly fix: string;
}

export const failed = (fault: Omit<Fault, 'status'>): Fault => ({ status: 'failed', ...fault });
export const warned = (fault: Omit<Fault, 'status'>): Fault => ({ status: 'warned', ...fault });

/** Thrown where a check can't see what it must know. */
export class NotCheckedError extends Error {
  override readonly name = 'NotCheckedError';
}

/** A finding with the name of what was looked at. */
export type NamedFinding = Finding & { readonly name: string };

/** What becomes of a look that may not see: a finding, too. Other errors are faults of the doctor itself. */
export async function findingOf(look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof NotCheckedError)) throw error;
    return notChecked(error.message);
  }
}
