import { type Knob, type Knobs, knobs } from './knobs.ts';
import { shownValue } from './readers.ts';

/** @returns a sentence that says what is wrong; undefined if nothing is */
export type Rule = (input: Readonly<Record<string, unknown>>) => string | undefined;

/** A rule is checked as soon as the knobs that it reads are valid, whatever else is wrong. */
export function rule<const K extends Knob>(
  of: readonly K[],
  fault: (given: Pick<Knobs, K>) => string | false | undefined,
): Rule {
  const mask = Object.fromEntries(of.map((knob) => [knob, true])) as { [P in K]: true };
  const picked = knobs.pick(mask as never);
  return (input) => {
    const given = picked.safeParse(input);
    return (given.success && fault(given.data as Pick<Knobs, K>)) || undefined;
  };
}

export const shown = (value: unknown) => shownValue(value);

/** A knob that has no meaning without another. */
export function needs(knob: Knob, other: Knob, fix: string): Rule {
  return rule(
    [knob, other],
    (given) =>
      given[knob] !== undefined &&
      given[other] === undefined &&
      `\`${knob}\` must stand beside \`${other}\`, got: ${shown(given[knob])}; ${fix}`,
  );
}
