import { randomUUID } from 'node:crypto';
import type { SigningKeys } from './signing-keys.ts';

/**
 * Ids of sessions that say which instance holds the session: `random.period.mac.instance`, of characters that need no
 * encoding in a URL. Without the MAC anyone could have requests sent to an instance of his choice.
 */
export class LocatedIds {
  readonly #instance: string;
  readonly #keys: SigningKeys;

  constructor(instance: string, keys: SigningKeys) {
    this.#instance = instance;
    this.#keys = keys;
  }

  /** An id of a session of this instance. */
  async create(): Promise<string> {
    // Of random bytes that Node keeps at hand: to get some for each id would cost more than the rest of it.
    const random = randomUUID();
    const signature = await this.#keys.sign(signedOf(random, this.#instance));
    return `${random}.${signature}.${this.#instance}`;
  }

  /** The instance that an id names, whoever made it up. */
  claimedInstance(id: string): string | undefined {
    return parse(id)?.instance;
  }

  /** The instance that made the id; undefined where none of this deployment did. */
  async instanceOf(id: string): Promise<string | undefined> {
    const parts = parse(id);
    if (!parts) return undefined;
    const { random, signature, instance } = parts;
    return (await this.#keys.verify(signedOf(random, instance), signature)) ? instance : undefined;
  }
}

const pattern = /^([\w-]{1,64})\.([0-9a-z]{1,8}\.[\w-]{1,64})\.([\w.-]{1,64})$/;

function parse(id: string) {
  const [, random, signature, instance] = pattern.exec(id) ?? [];
  if (random === undefined || signature === undefined || instance === undefined) return undefined;
  return { random, signature, instance };
}

function signedOf(random: string, instance: string): string {
  return `id\n${random}\n${instance}`;
}
