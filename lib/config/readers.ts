import { z } from 'zod';
import { OriginsError, parseOrigins } from '../../app/origins.ts';

/** Readers of knobs. A knob comes from JSON, or as text from `-c knob=value`. */

type ErrorOf = (issue: { readonly input?: unknown }) => string;

/** `must <rule>, got: <value>; <fix>`; the knob's name comes before it. */
export const must =
  (rule: string, fix: string): ErrorOf =>
  (issue) =>
    `must ${rule}, got: ${shownValue(issue.input)}; ${fix}`;

/** What is named like a secret, and a text with a password in it. */
const secretName = /secret|token|password|credential|apikey/i;
const secretText = /:[^\s/@]+@|(password|secret|token)\s*[=:]/i;

/** A value as it was given, unless it may hold a secret. @param name of its knob, where nobody knows what that is */
export function shownValue(value: unknown, name = ''): string {
  const text = JSON.stringify(value) ?? 'nothing';
  if (!secretName.test(name) && !secretText.test(text)) return text;
  return `${String(value).length} characters, which are not shown`;
}

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

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Environment variables, as an object or as `NAME=value,OTHER=value`. The message contains no value, for it may be a
 * secret by mistake.
 */
export function variables(value: RegExp, rule: string, fix: string) {
  const error: ErrorOf = ({ input }) =>
    `must be variables with ${rule}, got: ${namesOf(input)}; ${fix}, as an object in cdk.json or as NAME=value,OTHER=value`;
  return z.preprocess(
    fromPairs,
    z
      .record(z.string(), z.string({ error }).regex(value, { error }), { error })
      .refine((all) => Object.keys(all).every((name) => variableName.test(name)), { error }),
  );
}

/** Keys of tags that nobody may take: AWS's own, and the one that the stack itself sets. */
const takenTag = /^(aws:|realtime-stack:)/i;
const tagText = /^[\p{L}\p{N}\p{Z}_.:/=+\-@]*$/u;
/** A resource has 50 tags at most, and the CDK and CloudFormation set some themselves. */
const mostTags = 40;

/** Tags, as an object or as `key=value,key=value`. */
export function tags() {
  const error: ErrorOf = ({ input }) =>
    `must be at most ${mostTags} tags, keys of up to 128 and values of up to 256 letters, digits, spaces and _.:/=+-@, none that begins with aws: or realtime-stack:, got: ${shownValue(input)}; write an object in cdk.json, or key=value,key=value`;
  const isKey = (key: string) =>
    key.length >= 1 && key.length <= 128 && tagText.test(key) && !takenTag.test(key);
  return z.preprocess(
    fromPairs,
    z
      .record(z.string(), z.string({ error }).max(256, { error }).regex(tagText, { error }), { error })
      .refine((all) => Object.keys(all).length <= mostTags && Object.keys(all).every(isKey), { error }),
  );
}

/** `NAME=value,OTHER=value` as an object. */
const fromPairs = (given: unknown) =>
  typeof given === 'string'
    ? Object.fromEntries(
        given.split(',').map((pair) => [pair.split('=', 1)[0], pair.replace(/^[^=]*=?/, '')]),
      )
    : given;

const namesOf = (input: unknown) =>
  typeof input === 'object' && input !== null
    ? `those named ${Object.keys(input).join(', ')}`
    : 'a value that does not fit';

const secretArnPattern =
  'arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[\\w/+=.@-]+-[A-Za-z0-9]{6}';

/** The ARN of a secret, or of a field of its JSON: `ARN:field`. */
export const secretReference = new RegExp(`^(${secretArnPattern})(?::([\\w.-]+))?$`);

/** The complete ARN of a secret. The message never contains the value, which may be the secret itself by mistake. */
export function secretArn() {
  const error: ErrorOf = ({ input }) =>
    `must be the whole ARN of a secret, with its six last characters, got: ${String(input).length} characters that are none; copy it from Secrets Manager`;
  return z.string({ error }).regex(new RegExp(`^${secretArnPattern}$`), { error });
}

export function flag(fix: string) {
  const read = (given: unknown) => (given === 'true' ? true : given === 'false' ? false : given);
  return z.preprocess(read, z.boolean({ error: must('be true or false', fix) }));
}

/** Origins of pages, read as the service reads them. */
export function origins(most: number) {
  const error = must(`list 1 to ${most} origins`, 'write them as a JSON list, or with commas between them');
  const texts = z.array(z.string({ error }), { error }).min(1, { error }).max(most, { error });
  const read = (given: unknown, context: z.core.$RefinementCtx) => {
    const isList = typeof given === 'string' || (Array.isArray(given) && given.every(isText));
    if (!isList) return given;
    try {
      return parseOrigins(given);
    } catch (fault) {
      if (!(fault instanceof OriginsError)) throw fault;
      context.addIssue(`must list origins, got: ${JSON.stringify(given)}; ${fault.message}`);
      return z.NEVER;
    }
  };
  return z.preprocess(read, texts);
}

const isText = (given: unknown) => typeof given === 'string';

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

export const domain = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/;

/** `registry/name:tag@digest`; only the name is required. */
export const imageReference = /^[a-z0-9][\w.-]*(:\d+)?(\/[\w.-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/;
