/**
 * How a process reads its environment: each variable is declared once, in a table, with its name, its type, its default
 * and what it is. Without packages, for `lib/` takes names from the tables.
 *
 * This file stands in app/server, livekit/config and livekit/agent, from each of which an image is built. A test holds
 * the three equal.
 */

export interface Variable {
  readonly name: string;
  /** Gives the value that a text means. @throws RuleError */
  readonly read: (text: string) => unknown;
  /** The value where the variable is not set. @default undefined */
  readonly otherwise?: unknown;
  /** It must be set: why, in words that follow `must be set: `. @default it may be absent */
  readonly required?: string;
  /** What it is, for who sets it. */
  readonly about: string;
  /** Its value is never shown. @default false */
  readonly isSecret?: true;
}

export type Variables = Readonly<Record<string, Variable>>;

/** The values of a table, by the names that the code gives them. */
export type Values<T extends Variables> = {
  readonly [K in keyof T]:
    | ReturnType<T[K]['read']>
    | (T[K] extends { readonly otherwise: infer O }
        ? O
        : T[K] extends { readonly required: string }
          ? never
          : undefined);
};

/** Names of a table's variables, by the names that the code gives them. */
export type VariableNames<T extends Variables> = { readonly [K in keyof T]: T[K]['name'] };

export function namesOf<const T extends Variables>(table: T): VariableNames<T> {
  const names = Object.entries(table).map(([key, { name }]) => [key, name]);
  return Object.fromEntries(names) as VariableNames<T>;
}

/** A text breaks a rule; the message says what it must be and is put behind the variable's name. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

/** What variables allow by themselves and not together; looked at as soon as all of them can be read. */
export interface VariableRule<T extends Variables> {
  readonly of: readonly (keyof T)[];
  /** @returns what is wrong, as a sentence; undefined if nothing is */
  readonly fault: (values: Values<T>) => string | false | undefined;
}

/** @returns a rule, for `readVariables` */
export function rule<T extends Variables, const K extends keyof T>(
  of: readonly K[],
  fault: (values: Pick<Values<T>, K>) => string | false | undefined,
): VariableRule<T> {
  return { of, fault };
}

/** One or more variables hold what can't be used; the message lists all of them. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/** @throws EnvironmentError that names every variable at fault, with its value unless that is a secret, and the rule */
export function readVariables<T extends Variables>(
  table: T,
  rules: readonly VariableRule<T>[],
  environment: NodeJS.ProcessEnv,
): Values<T> {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const [key, variable] of Object.entries(table)) {
    const text = environment[variable.name];
    if (text === undefined && variable.required !== undefined) {
      faults.push(`${variable.name} must be set: ${variable.required}`);
      continue;
    }
    try {
      values[key] = text === undefined ? variable.otherwise : variable.read(text);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      faults.push(`${variable.name} ${error.message}, got: ${shown(variable, text ?? '')}`);
    }
  }
  for (const { of, fault } of rules) {
    const found = of.every((key) => key in values) && fault(values as Values<T>);
    if (found) faults.push(found);
  }
  if (faults.length === 0) return values as Values<T>;
  const lines = [...faults, ...misspelt(table, environment)].map((line) => `  ${line}`);
  throw new EnvironmentError(`The environment can't be used:\n${lines.join('\n')}`);
}

/** Variables that are set, that nobody reads, and that differ in one letter from one that is not set. */
export function misspelt(table: Variables, environment: NodeJS.ProcessEnv): string[] {
  const names = Object.values(table).map(({ name }) => name);
  const unset = names.filter((name) => environment[name] === undefined);
  return Object.keys(environment)
    .filter((given) => !names.includes(given))
    .flatMap((given) => {
      const meant = unset.find((name) => differInOneLetter(given, name));
      return meant === undefined ? [] : [`${given} is set, and nobody reads it: did you mean ${meant}?`];
    });
}

/** One more, one less, another one, or two in the other order. */
function differInOneLetter(one: string, other: string): boolean {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const [a, b] = [one.slice(same), other.slice(same)];
  const isSwapped = a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
  return isSwapped || a.slice(1) === b.slice(1) || a.slice(1) === b || a === b.slice(1);
}

/** A secret is not shown, its length is; and a URL may have a password. */
function shown({ isSecret }: Variable, text: string): string {
  return isSecret || text.includes('@') ? `${text.length} characters` : text;
}

/** Readers: each takes a text, and throws a RuleError for one that it can't use. */

export const anyText = (text: string): string => text;

export function someText(text: string): string {
  if (text === '') throw new RuleError('must not be empty');
  return text;
}

export function matching(pattern: RegExp, what: string) {
  return (text: string): string => {
    if (pattern.test(text)) return text;
    throw new RuleError(`must be ${what}`);
  };
}

export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new RuleError(`must be a whole number of ${least}–${most}`);
  };
}

export function numberBetween(least: number, most: number) {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    throw new RuleError(`must be a number of ${least}–${most}`);
  };
}

export function oneOf<const T extends string>(...values: readonly T[]) {
  return (text: string): T => {
    const value = values.find((each) => each === text);
    if (value !== undefined) return value;
    throw new RuleError(`must be ${values.join(' or ')}`);
  };
}

export const trueOrFalse = (text: string): boolean => oneOf('true', 'false')(text) === 'true';

/** @param schemes without their colons */
export function urlOf(...schemes: readonly string[]) {
  return (text: string): string => {
    const scheme = URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : '';
    if (schemes.includes(scheme)) return text;
    throw new RuleError(`must be a URL of ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
  };
}
