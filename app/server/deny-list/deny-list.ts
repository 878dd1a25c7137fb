import { Entries } from './entries.ts';

/**
 * Who is denied for a time, known on every instance, so that `denies` asks nobody. Entries are texts; what they mean
 * is for `revocations.ts` and `bans.ts`.
 */
export interface DenyList {
  /**
   * False until the list was read for the first time: an instance that does not know who is denied lets nobody in.
   */
  readonly isKnown: boolean;
  /** @param forMs from now on; an entry that is denied for longer stays so  @throws DenyListError */
  deny(entry: string, forMs: number): Promise<void>;
  /** Ends it on every instance, also on one that is away now. @throws DenyListError */
  lift(entry: string): Promise<void>;
  denies(entry: string): boolean;
  /**
   * Called on every instance with the entries that were denied since, and with those that it learns of at a connect.
   * Many come in one call.
   */
  onDenied(handler: (entries: ReadonlySet<string>) => void): void;
}

/** It could not be said to the other instances: nothing is denied or lifted by it. */
export class DenyListError extends Error {
  override readonly name = 'DenyListError';
}

/** An instance holds all of them: at 300 bytes each 15 MB. */
export const mostEntries = 50_000;

/** @returns the refusal of one more */
export function fullList(): DenyListError {
  return new DenyListError(
    `${mostEntries} entries are denied already: lift some, or wait until some have ended`,
  );
}

/** For an instance that is alone: what it knows is all there is. */
export class MemoryDenyList implements DenyList {
  readonly isKnown = true;
  readonly #entries = new Entries();
  #stamp = 0;

  async deny(entry: string, forMs: number): Promise<void> {
    const isFull = () => this.#entries.size >= mostEntries;
    if (isFull()) this.#entries.forgetOver();
    if (isFull() && !this.#entries.denies(entry)) throw fullList();
    this.#stamp += 1;
    this.#entries.take(entry, {
      deniedAt: this.#stamp,
      deniedUntil: this.#entries.now() + forMs,
      liftedAt: 0,
      liftedUntil: 0,
    });
  }

  async lift(entry: string): Promise<void> {
    this.#stamp += 1;
    this.#entries.take(entry, { deniedAt: 0, deniedUntil: 0, liftedAt: this.#stamp, liftedUntil: 0 });
  }

  denies(entry: string): boolean {
    return this.#entries.denies(entry);
  }

  onDenied(handler: (entries: ReadonlySet<string>) => void): void {
    this.#entries.onDenied(handler);
  }

  close(): void {
    this.#entries.close();
  }
}
