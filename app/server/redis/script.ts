import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { evalshaHead, type ScriptValue, sendScript } from './script-command.ts';

const prelude = readFileSync(new URL('./scripts/prelude.lua', import.meta.url), 'utf8');

/** A script as it is sent: behind what all of them may use. @param sources files, or texts themselves, in this order */
export function scriptText(...sources: readonly (URL | string)[]): string {
  return [prelude, ...sources.map(textOf)].join('');
}

const textOf = (source: URL | string) => (typeof source === 'string' ? source : readFileSync(source, 'utf8'));

/**
 * What a script calls its KEYS and ARGV, in their order: the same names as the `local`s at the top of its file, as in
 * `local meta, log = unpack(KEYS)`.
 */
export interface ScriptParameters<K extends string, A extends string, O extends string = never> {
  readonly keys: readonly K[];
  /** One more key, which may be absent; nil in the script then. */
  readonly optionalKey?: O;
  readonly args: readonly A[];
}

export type ScriptKeys<K extends string, O extends string = never> = Readonly<Record<K, string>> & {
  readonly [P in O]?: string | undefined;
};

export type ScriptArgs<A extends string> = Readonly<Record<A, ScriptValue>>;

/** The values in the order of their names. */
export function keysInOrder<K extends string, A extends string, O extends string>(
  { keys: names, optionalKey }: ScriptParameters<K, A, O>,
  keys: ScriptKeys<K, O>,
): string[] {
  const last = optionalKey === undefined ? undefined : keys[optionalKey];
  const inOrder = names.map((name) => keys[name] as string);
  if (last !== undefined) inOrder.push(last);
  return inOrder;
}

export function argsInOrder<A extends string>(
  { args: names }: Pick<ScriptParameters<string, A>, 'args'>,
  args: ScriptArgs<A>,
): ScriptValue[] {
  return names.map((name) => args[name]);
}

/** A Lua script in files of its own, run by its hash; sent whole to a server that does not know it. */
export class Script {
  readonly #text: string;
  /** What is sent for its hash. */
  readonly #head: string;

  /** @param sources as of `scriptText`, for example `new URL('./scripts/append.lua', import.meta.url)` */
  constructor(...sources: readonly (URL | string)[]) {
    this.#text = scriptText(...sources);
    this.#head = evalshaHead(createHash('sha1').update(this.#text).digest('hex'));
  }

  run(redis: Redis, keys: readonly string[], args: readonly ScriptValue[]): Promise<unknown> {
    return sendScript(redis, this.#head, keys, args).catch((error: Error) => {
      if (!error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.#text, keys.length, ...keys, ...args);
    });
  }
}

/** A script whose callers name what they give it. */
export class NamedScript<const K extends string, const A extends string, const O extends string = never> {
  readonly #parameters: ScriptParameters<K, A, O>;
  readonly #script: Script;

  /**
   * @param sources as of `Script`; the last one has the parameters
   * @throws Error when that names them otherwise
   */
  constructor(parameters: ScriptParameters<K, A, O>, ...sources: readonly (URL | string)[]) {
    assertParameters(parameters, textOf(sources.at(-1) ?? ''));
    this.#parameters = parameters;
    this.#script = new Script(...sources);
  }

  /** @param rest what the script takes behind its named arguments */
  run(
    redis: Redis,
    keys: ScriptKeys<K, O>,
    args: ScriptArgs<A>,
    rest: readonly ScriptValue[] = [],
  ): Promise<unknown> {
    const values = argsInOrder(this.#parameters, args);
    const all = rest.length === 0 ? values : [...values, ...rest];
    return this.#script.run(redis, keysInOrder(this.#parameters, keys), all);
  }
}

const declaration = /^local ([\w\s,]+) = unpack\((KEYS|ARGV)(?:, 1, (\d+))?\)$/gm;

/** Names that differ would be a value in another one's place, which nothing else would notice. */
export function assertParameters<K extends string, A extends string, O extends string>(
  { keys, optionalKey, args }: ScriptParameters<K, A, O>,
  text: string,
): void {
  const declared = { KEYS: '', ARGV: '' };
  for (const [, names = '', table, count] of text.matchAll(declaration)) {
    const list = names.split(',').map((name) => name.trim());
    if (count !== undefined && Number(count) !== list.length)
      throw new Error(`a script must unpack as many of ${table} as it names, got: ${count} for ${list}`);
    declared[table as 'KEYS' | 'ARGV'] = list.join(', ');
  }
  const expected = {
    KEYS: [...keys, ...(optionalKey === undefined ? [] : [optionalKey])].join(', '),
    ARGV: args.join(', '),
  };
  for (const table of ['KEYS', 'ARGV'] as const)
    if (declared[table] !== expected[table])
      throw new Error(
        `a script must name its ${table} as its caller does (${expected[table]}), got: ${declared[table]}`,
      );
}
