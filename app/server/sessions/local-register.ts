import { mostEntries, type Register, RegisterError } from './register.ts';

/** What one instance knows; for an instance that is alone, all there is. */
export class LocalRegister implements Register {
  readonly #ends = new Map<string, number>();
  readonly #listeners: ((entry: string) => void)[] = [];

  async add(entry: string, forMs: number): Promise<void> {
    const before = this.#ends.get(entry) ?? 0;
    if (this.#ends.size >= mostEntries && before === 0) this.#sweep();
    if (this.#ends.size >= mostEntries && before === 0) {
      throw new RegisterError(`${mostEntries} entries are barred already`);
    }
    this.put(entry, Math.max(before, Date.now() + forMs));
  }

  async remove(entry: string): Promise<void> {
    this.#ends.delete(entry);
  }

  has(entry: string): boolean {
    const ends = this.#ends.get(entry);
    if (ends === undefined) return false;
    if (ends > Date.now()) return true;
    this.#ends.delete(entry);
    return false;
  }

  onAdded(listener: (entry: string) => void): void {
    this.#listeners.push(listener);
  }

  /** @param ends milliseconds since 1970 */
  put(entry: string, ends: number): void {
    this.#ends.set(entry, ends);
    for (const listener of this.#listeners) listener(entry);
  }

  /** Takes these for all there are; tells of those that are new here. */
  replaceAll(entries: ReadonlyMap<string, number>): void {
    for (const entry of this.#ends.keys()) if (!entries.has(entry)) this.#ends.delete(entry);
    for (const [entry, ends] of entries) {
      if (this.has(entry)) this.#ends.set(entry, ends);
      else this.put(entry, ends);
    }
  }

  #sweep(): void {
    for (const entry of [...this.#ends.keys()]) this.has(entry);
  }
}
