import { randomBytes } from 'node:crypto';

/** An instance that starts anew is another owner: what the one before owned is not its own. */
export function makeOwner(instance: string): string {
  return `${instance}~${randomBytes(6).toString('hex')}`;
}
