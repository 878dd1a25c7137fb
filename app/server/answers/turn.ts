import { createHash, randomUUID } from 'node:crypto';
import type { FinalState } from '../../protocol/answers.ts';

/** A question and its answer, as all instances know it. */
export interface Turn {
  readonly turn: string;
  readonly room: string;
  /** Who asked. */
  readonly subject: string;
  /** The instance that makes the answer: its name in `leases`. */
  readonly owner: string;
}

export type TurnState = 'running' | FinalState;

/** A turn that has ended, with all that was said in it. */
export interface Exchange {
  readonly prompt: string;
  readonly answer: string;
}

/**
 * The same asker, room and id make the same turn, on whichever instance: that is how a repeat is known. Without
 * an id each ask is a turn of its own.
 */
export function turnOf(hub: string, room: string, subject: string, id?: string): string {
  const parts = [hub, room, subject, id ?? randomUUID()];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}
