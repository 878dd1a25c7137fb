/** Items that wait for the method that reads them: a client sends without being asked. */
const mostWaiting = 10_000;

/** A stream that a client sends with an invocation. Read once. */
export class Upload implements AsyncIterable<unknown> {
  #waiting: unknown[] = [];
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** @returns false when nobody reads, and more may not wait */
  push(item: unknown): boolean {
    if (this.#isEnded) return true;
    if (this.#waiting.length >= mostWaiting) return false;
    this.#waiting.push(item);
    this.#wake?.();
    return true;
  }

  /** @param error why no more comes; undefined: that was all */
  end(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<unknown> {
    try {
      for (;;) {
        if (this.#waiting.length > 0) yield this.#waiting.shift();
        else if (this.#error) throw this.#error;
        else if (this.#isEnded) return;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      // Who stopped reading wants no more of it.
      this.#isEnded = true;
      this.#waiting = [];
    }
  }
}
