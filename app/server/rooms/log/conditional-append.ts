import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import {
  argsInOrder,
  assertParameters,
  keysInOrder,
  Script,
  type ScriptArgs,
  type ScriptKeys,
  type ScriptParameters,
} from '../../redis/script.ts';
import type { ScriptValue } from '../../redis/script-command.ts';

/** What `append.lua` takes. */
export const appendParameters = {
  keys: ['meta', 'log'],
  optionalKey: 'id',
  args: [
    'channel',
    'epochTag',
    'beforePosition',
    'afterPosition',
    'maxLength',
    'maxBytes',
    'maxAgeMs',
    'metaAgeMs',
    'idWindowMs',
    'mayBeNew',
    'wantsReplicationId',
    'latestMs',
  ],
} as const;

export type AppendKeys = ScriptKeys<(typeof appendParameters.keys)[number], 'id'>;
export type AppendArgs = ScriptArgs<(typeof appendParameters.args)[number]>;

const append = readFileSync(new URL('./scripts/append.lua', import.meta.url), 'utf8');
const epochs = new URL('./scripts/epochs.lua', import.meta.url);

/** What a precondition's script is given, in its order. */
export interface Asked {
  readonly script: ConditionalAppend;
  readonly keys: readonly string[];
  readonly args: readonly ScriptValue[];
}

/**
 * `append.lua` behind a precondition, as one script.
 *
 * The precondition's file is the body of a function with `KEYS` and `ARGV` of its own. It returns why nothing is
 * to be appended, or nil and the body as JSON text. Its first write should be one that a full server refuses,
 * unless it must go through: what follows the first write of a script is never refused.
 */
export class ConditionalAppend<const K extends string = string, const A extends string = string> {
  readonly #parameters: ScriptParameters<K, A>;
  readonly #script: Script;

  /** @param precondition for example `new URL('./scripts/start.lua', import.meta.url)` */
  constructor(parameters: ScriptParameters<K, A>, precondition: URL) {
    const text = readFileSync(precondition, 'utf8');
    assertParameters(parameters, text);
    this.#parameters = parameters;
    this.#script = new Script(epochs, compose(text, parameters));
  }

  /** @returns of a `Precondition` the part that Redis decides by */
  asked(keys: ScriptKeys<K>, args: ScriptArgs<A>): Asked {
    return {
      script: this,
      keys: keysInOrder(this.#parameters, keys),
      args: argsInOrder(this.#parameters, args),
    };
  }

  /** @param keys @param args those of `append.lua`, whose message ends before the body */
  run(
    redis: Redis,
    asked: Pick<Asked, 'keys' | 'args'>,
    keys: AppendKeys,
    args: AppendArgs,
  ): Promise<unknown> {
    return this.#script.run(
      redis,
      [...asked.keys, ...keysInOrder(appendParameters, keys)],
      [...asked.args, ...argsInOrder(appendParameters, args)],
    );
  }
}

/** Where `append.lua` finds an argument. */
const luaIndexOf = (name: keyof AppendArgs) => appendParameters.args.indexOf(name) + 1;

function compose(precondition: string, { keys, args }: ScriptParameters<string, string>): string {
  return `
local function precondition(KEYS, ARGV)
${precondition}
end

local function append(KEYS, ARGV)
${append}
end

local appendKeys, arguments = { unpack(KEYS, ${keys.length + 1}) }, { unpack(ARGV, ${args.length + 1}) }
-- What append.lua would refuse behind it must not have changed the precondition's state.
if arguments[${luaIndexOf('mayBeNew')}] == '0' and redis.call('EXISTS', appendKeys[1]) == 0 then return { '', 0, 3 } end
local rejected, body = precondition({ unpack(KEYS, 1, ${keys.length}) }, { unpack(ARGV, 1, ${args.length}) })
if rejected then return rejected end
arguments[${luaIndexOf('afterPosition')}] = arguments[${luaIndexOf('afterPosition')}] .. body .. '}'
return append(appendKeys, arguments)
`;
}
