/**
 * What is barred for a time, known on every instance, so that `has` asks nobody. Entries are texts; what they mean
 * is for `revocations.ts` and `bans.ts`.
 */
export interface Register {
  /** @param forMs from now on; an entry that is barred for longer stays so  @throws RegisterError */
  add(entry: string, forMs: number): Promise<void>;
  /** @throws RegisterError */
  remove(entry: string): Promise<void>;
  has(entry: string): boolean;
  /** Called on every instance for each entry that is added, and for those that it learns of at a connect. */
  onAdded(listener: (entry: string) => void): void;
}

/** It could not be said to the other instances: nothing is barred or lifted by it. */
export class RegisterError extends Error {
  override readonly name = 'RegisterError';
}

/** An instance holds all of them: at 200 bytes each 10 MB. */
export const mostEntries = 50_000;
