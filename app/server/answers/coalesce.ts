import { setTimeout as delay } from 'node:timers/promises';
import { toWellFormed } from '../../protocol/text.ts';

export interface CoalesceOptions {
  /** Milliseconds from one chunk to the next, at least. */
  readonly everyMs: number;
  /** Characters of a chunk. */
  readonly most: number;
  /** Ends the wait for the source at once, with what it was aborted with. */
  readonly signal: AbortSignal;
}

/**
 * Puts a stream of tokens together into chunks: the first token goes at once, and what comes while a chunk is
 * taken care of, or within its time, waits for the next. The source is to be bounded: all of it may wait here.
 */
export async function* coalesce(
  source: AsyncIterable<string>,
  { everyMs, most, signal }: CoalesceOptions,
): AsyncGenerator<string, void> {
  const gathering = new Gathering(source, signal);
  for (;;) {
    if (gathering.isEmpty) await gathering.filled();
    signal.throwIfAborted();
    if (gathering.isEmpty) return gathering.finish();
    const began = Date.now();
    yield gathering.take(most);
    await gathering.pause(began + everyMs - Date.now());
  }
}

/** The first half of a surrogate pair, at the end of a text. */
const openPair = /[\ud800-\udbff]$/;

/** What has come of a source and was not taken yet. */
class Gathering {
  readonly #signal: AbortSignal;
  #text = '';
  #hasEnded = false;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(source: AsyncIterable<string>, signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    void this.#gather(source);
  }

  get isEmpty(): boolean {
    return this.#isWhole(this.#text) ? this.#text === '' : this.#text.length === 1;
  }

  /** Resolves when there is text, the source has ended, or the signal is aborted. */
  async filled(): Promise<void> {
    while (this.isEmpty && !this.#hasEnded && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Never half of a surrogate pair: each chunk is a message, and not every reader can be given that. */
  take(most: number): string {
    const some = this.#text.slice(0, Math.max(2, most));
    const isWhole = this.#isWhole(some) && !(openPair.test(some) && some.length < this.#text.length);
    const taken = isWhole ? some : some.slice(0, -1);
    this.#text = this.#text.slice(taken.length);
    return toWellFormed(taken);
  }

  /** A pair that is open at the end of what has come waits for its other half, as long as there is more to come. */
  #isWhole(text: string): boolean {
    return this.#hasEnded || !openPair.test(text);
  }

  /** @throws what ended the source, if it did not end well */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Shorter when the signal is aborted. */
  async pause(ms: number): Promise<void> {
    if (ms <= 0 || this.#signal.aborted) return;
    await delay(ms, undefined, { signal: this.#signal }).catch(() => undefined);
  }

  async #gather(source: AsyncIterable<string>): Promise<void> {
    try {
      for await (const text of source) {
        if (this.#signal.aborted) return;
        this.#text += text;
        this.#wake();
      }
    } catch (error) {
      this.#failure = error ?? new Error('the source failed');
    } finally {
      this.#hasEnded = true;
      this.#wake();
    }
  }
}
