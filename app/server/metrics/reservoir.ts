/** As many as CloudWatch's format allows of one metric in a line. */
const most = 100;

/**
 * What was measured since it was last taken: all of it, or 100 that stand for the rest, each chosen with the same chance
 * (Vitter's algorithm R): their percentiles are those of all.
 */
export class Reservoir {
  #values: number[] = [];
  #seen = 0;

  add(value: number): void {
    this.#seen += 1;
    const index = this.#seen <= most ? this.#seen - 1 : Math.floor(Math.random() * this.#seen);
    if (index < most) this.#values[index] = value;
  }

  /** Empties it. Hundredths are enough for milliseconds, and keep the line short. */
  take(): number[] {
    const taken = this.#values.map((value) => Math.round(value * 100) / 100);
    this.#values = [];
    this.#seen = 0;
    return taken;
  }
}
