import { z } from 'zod';

/** What a knob can be, read from JSON or from the text that `-c knob=value` hands over. */

type ErrorOf = (issue: { readonly input?: unknown }) => string;

/** `must <rule>, got: <value>; <fix>`; the knob's name comes before it. */
export const must =
  (rule: string, fix: string): ErrorOf =>
  (issue) =>
    `must ${rule}, got: ${JSON.stringify(issue.input)}; ${fix}`;

const fromText = (given: unknown) =>
  typeof given === 'string' && given.trim() !== '' && !Number.isNaN(Number(given)) ? Number(given) : given;

export function whole(least: number, most: number, fix: string) {
  const error = must(`be a whole number from ${least} to ${most}`, fix);
  return z.preprocess(fromText, z.int({ error }).min(least, { error }).max(most, { error }));
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T, fix: string) {
  return z.enum(values, { error: must(`be one of ${values.join(', ')}`, fix) });
}

/** `-c cacheEngineVersion=8.2` is text, `"cacheEngineVersion": 8.2` in cdk.json a number. */
export function version<const T extends readonly [string, ...string[]]>(values: T, fix: string) {
  const asText = (given: unknown) => (typeof given === 'number' ? given.toFixed(1) : given);
  return z.preprocess(asText, oneOf(values, fix));
}

export function text(pattern: RegExp, rule: string, fix: string) {
  const error = must(rule, fix);
  return z.string({ error }).regex(pattern, { error });
}

/** The whole ARN of a secret. What is given may be the secret itself, by mistake: it is not told. */
export function secretArn() {
  const error: ErrorOf = ({ input }) =>
    `must be the whole ARN of a secret, with its six last characters, got: ${String(input).length} characters that are none; copy it from Secrets Manager`;
  return z
    .string({ error })
    .regex(/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}$/, { error });
}

export function flag(fix: string) {
  const read = (given: unknown) => (given === 'true' ? true : given === 'false' ? false : given);
  return z.preprocess(read, z.boolean({ error: must('be true or false', fix) }));
}

/** Different names, as a list or separated by commas. */
export function names(least: number, most: number, pattern: RegExp, rule: string, fix: string) {
  const error = must(`be ${least} to ${most} different ${rule}`, fix);
  const read = (given: unknown) =>
    typeof given === 'string' ? given.split(',').map((name) => name.trim()) : given;
  const list = z.array(z.string({ error }).regex(pattern, { error }), { error });
  return z.preprocess(
    read,
    list
      .min(least, { error })
      .max(most, { error })
      .refine((all) => new Set(all).size === all.length, { error }),
  );
}
