const hertz = 440;
const amplitude = 8_000;

/** Speaks a tone in frames of 10 ms until it is stopped. @param speak resolves when the next frame may come */
export class Tone {
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(sampleRate: number, speak: (samples: Int16Array) => Promise<void>) {
    this.#running = this.#run(sampleRate, speak);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(sampleRate: number, speak: (samples: Int16Array) => Promise<void>): Promise<void> {
    const length = sampleRate / 100;
    try {
      for (let at = 0; !this.#stopped; at += length) await speak(wave(at, length, sampleRate));
    } catch {
      // The room is gone: what is no longer heard tells.
    }
  }
}

function wave(from: number, length: number, sampleRate: number): Int16Array {
  return Int16Array.from({ length }, (_, index) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * hertz * (from + index)) / sampleRate)),
  );
}
