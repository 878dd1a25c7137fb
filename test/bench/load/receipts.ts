/** What one client received of a room's numbered messages. */
export class Receipts {
  readonly #seen = new Set<number>();
  #highest = 0;
  duplicated = 0;
  outOfOrder = 0;

  take(number: number): void {
    if (this.#seen.has(number)) {
      this.duplicated += 1;
      return;
    }
    this.#seen.add(number);
    if (number < this.#highest) this.outOfOrder += 1;
    else this.#highest = number;
  }

  missing(numbers: readonly number[]): number {
    return numbers.filter((number) => !this.#seen.has(number)).length;
  }
}
