import type { BenchArguments } from './arguments.ts';
import type { Variant, VariantName } from './variants.ts';

/** What a measure works with. */
export interface BenchContext extends BenchArguments {
  /** Progress, for a person who waits. */
  readonly print: (line: string) => void;
  /** What was looked at beside the figures. */
  readonly printObservation: (lines: readonly string[]) => void;
}

/** The figures of each round, by variant. */
export type Rounds<T> = ReadonlyMap<VariantName, readonly T[]>;

/** Lets `measure` take one round of all variants at once; its figures are in their order. */
export async function collectRounds<T>(
  context: BenchContext,
  what: string,
  measure: (variants: readonly Variant[]) => Promise<readonly T[]>,
  mayTakePart: (variant: Variant) => boolean = () => true,
): Promise<Rounds<T>> {
  const taking = context.variants.filter(mayTakePart);
  const rounds = new Map<VariantName, T[]>(taking.map(({ name }) => [name, []]));
  for (let round = 1; round <= context.rounds; round += 1) {
    const all = await measure(taking);
    for (const [index, { name }] of taking.entries()) {
      const figures = all[index] as T;
      rounds.get(name)?.push(figures);
      context.print(`${what}, round ${round} of ${context.rounds}, ${name}: ${brief(figures)}`);
    }
  }
  return rounds;
}

/** Lets the variants take turns: whatever else the machine does meets all of them alike. */
export function inTurns<T>(
  context: BenchContext,
  what: string,
  measure: (variant: Variant) => Promise<T>,
  mayTakePart?: (variant: Variant) => boolean,
): Promise<Rounds<T>> {
  const all = async (variants: readonly Variant[]) => {
    const figures: T[] = [];
    for (const variant of variants) figures.push(await measure(variant));
    return figures;
  };
  return collectRounds(context, what, all, mayTakePart);
}

function brief(figures: unknown): string {
  return JSON.stringify(figures, (_key, value) =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value,
  );
}

/** The middle of several rounds, with how far they went apart. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number) => sorted[index] as number;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    least: at(0),
    most: at(sorted.length - 1),
  };
}

/** One figure of a variant, and the same as a ratio to the floor, or another variant, of the same round. */
export function compare<T>(
  rounds: Rounds<T>,
  variant: VariantName,
  figure: (figures: T) => number,
  base: VariantName = 'floor',
): { readonly value: Spread; readonly ratio: Spread | undefined } | undefined {
  const own = rounds.get(variant)?.map(figure);
  if (!own) return undefined;
  const floor = rounds.get(base)?.map(figure);
  return {
    value: spreadOf(own),
    ratio: floor && spreadOf(own.map((value, round) => value / (floor[round] as number))),
  };
}
