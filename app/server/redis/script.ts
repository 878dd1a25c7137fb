import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const prelude = readFileSync(new URL('./scripts/prelude.lua', import.meta.url), 'utf8');

/** A script as it is sent: behind what all of them may use. @param source a file, or the text itself */
export function scriptText(source: URL | string): string {
  return prelude + (typeof source === 'string' ? source : readFileSync(source, 'utf8'));
}

/** A Lua script in a file of its own, run by its hash; sent whole to a server that does not know it. */
export class Script {
  readonly #text: string;
  readonly #hash: string;

  /** @param source a file, for example `new URL('./scripts/append.lua', import.meta.url)`, or the text itself */
  constructor(source: URL | string) {
    this.#text = scriptText(source);
    this.#hash = createHash('sha1').update(this.#text).digest('hex');
  }

  async run(redis: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#hash, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.#text, keys.length, ...keys, ...args);
    }
  }
}
