/** Pauses between tries. The pauses grow, and are random, so that many clients don't try again at the same moment. */
export class Backoff {
  readonly #longestMs: number;
  #tries = 0;

  constructor(longestMs = 3_000) {
    this.#longestMs = longestMs;
  }

  async pause(): Promise<void> {
    const most = Math.min(this.#longestMs, 100 * 2 ** Math.min(this.#tries, 10));
    this.#tries += 1;
    await new Promise((resolve) => setTimeout(resolve, most * (0.5 + Math.random() / 2)));
  }
}
