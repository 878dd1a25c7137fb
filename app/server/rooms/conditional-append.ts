import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { Script } from '../redis/script.ts';

const append = readFileSync(new URL('./scripts/append.lua', import.meta.url), 'utf8');

interface Asked {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/**
 * `append.lua` behind a condition, as one script.
 *
 * The condition's file is the body of a function with `KEYS` and `ARGV` of its own. It returns why nothing is
 * to be appended, or nil and the body as JSON text. Its first write should be one that a full server refuses,
 * unless it must go through: what follows the first write of a script is never refused.
 */
export class ConditionalAppend {
  readonly #script: Script;

  /** @param condition for example `new URL('./scripts/start.lua', import.meta.url)` */
  constructor(condition: URL) {
    this.#script = new Script(compose(readFileSync(condition, 'utf8')));
  }

  /** @param keys @param args those of `append.lua`, whose message ends before the body */
  run(
    redis: Redis,
    asked: Asked,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const counts = [asked.keys.length, asked.args.length];
    return this.#script.run(redis, [...asked.keys, ...keys], [...counts, ...asked.args, ...args]);
  }
}

function compose(condition: string): string {
  return `
local function condition(KEYS, ARGV)
${condition}
end

local function append(KEYS, ARGV)
${append}
end

local keys, args = tonumber(ARGV[1]), tonumber(ARGV[2])
local withheld, body = condition({ unpack(KEYS, 1, keys) }, { unpack(ARGV, 3, args + 2) })
if withheld then return withheld end
local arguments = { unpack(ARGV, args + 3) }
arguments[5] = arguments[5] .. body .. '}'
return append({ unpack(KEYS, keys + 1) }, arguments)
`;
}
