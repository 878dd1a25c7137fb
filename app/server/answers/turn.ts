import { createHash, randomUUID } from 'node:crypto';
import type { FinalState } from '../../protocol/answers.ts';
import { bucketOf, bucketTags } from '../redis/buckets.ts';

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
 * an id each ask is a turn of its own. It begins with the bucket of its room, where all that is known of it is kept.
 */
export function turnOf(hub: string, room: string, subject: string, id?: string): string {
  const parts = [hub, room, subject, id ?? randomUUID()];
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
  return `${bucketOf(hub, room)}.${hash}`;
}

const turnPattern = /^([0-9a-z]+)\.[\w-]{22}$/;
const tags = new Set(bucketTags);

/** Undefined for what `turnOf` never made, whoever says it. */
export function bucketOfTurn(turn: string): string | undefined {
  const tag = turnPattern.exec(turn)?.[1];
  return tag !== undefined && tags.has(tag) ? tag : undefined;
}

/** How a turn ends. */
export interface Ending {
  readonly state: FinalState;
  /** In words for the reader. */
  readonly reason?: string | undefined;
  /** All that the owner has made; absent where another than the owner ends it: then the log's side knows the text. */
  readonly whole?: { readonly text: string; readonly seq: number };
}

/** What answers may take. */
export interface AnswerLimits {
  /** Characters of a prompt. @default 8,000 */
  readonly prompt: number;
  /** Answers under way in a room. @default 4 */
  readonly running: number;
  /** Answers under way of one subject, over all rooms and instances. @default 4 */
  readonly runningOfSubject: number;
  /** Answers under way on this instance. @default 200 */
  readonly runningHere: number;
  /** Characters of an answer; it ends there. @default 32,000 */
  readonly answer: number;
  /** Milliseconds that an answer may take. @default 300,000 (5 minutes) */
  readonly timeMs: number;
  /** Milliseconds from one chunk of a turn to the next. @default 50 */
  readonly chunkEveryMs: number;
  /** Characters of a chunk. @default 4,000 */
  readonly chunk: number;
  /** Earlier turns of the room that the model is given. @default 10 */
  readonly turnsRemembered: number;
  /** Characters of them, the newest first; what does not fit is left out whole. @default 24,000 */
  readonly charactersRemembered: number;
  /** Milliseconds for which a turn is known after its last word: to repeated ids, and to the model. @default 1,800,000 */
  readonly keptMs: number;
}

export const defaultAnswerLimits: AnswerLimits = {
  prompt: 8_000,
  running: 4,
  runningOfSubject: 4,
  runningHere: 200,
  answer: 32_000,
  timeMs: 300_000,
  chunkEveryMs: 50,
  chunk: 4_000,
  turnsRemembered: 10,
  charactersRemembered: 24_000,
  keptMs: 1_800_000,
};
