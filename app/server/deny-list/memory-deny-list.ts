import { type DenyList, fullList, mostEntries } from './deny-list.ts';
import { Entries } from './entries.ts';

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
