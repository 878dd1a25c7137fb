import type { Condition, Withheld } from './condition.ts';
import type { Position } from './position.ts';

/** How much of a room is kept, and for how long. A log is a delivery window, not a database. */
export interface LogBounds {
  /** Messages. Redis trims in blocks: up to 100 more may be there. @default 1000 */
  readonly maxLength: number;
  /** Bytes of message text, looked at every 16 appends. @default 1,000,000 */
  readonly maxBytes: number;
  /** Milliseconds since a message was appended. @default 600,000 (10 minutes) */
  readonly maxAgeMs: number;
  /** Milliseconds that the room's epochs outlive its last use. @default 604,800,000 (7 days) */
  readonly metaAgeMs: number;
  /** Milliseconds for which a repeated id is answered with the first one's position. @default 120,000 */
  readonly idWindowMs: number;
}

export const defaultBounds: LogBounds = {
  maxLength: 1_000,
  maxBytes: 1_000_000,
  maxAgeMs: 600_000,
  metaAgeMs: 7 * 24 * 3_600_000,
  idWindowMs: 120_000,
};

export interface AppendRequest {
  readonly room: string;
  /** Who sends it, authenticated: one sender's ids never meet another's. */
  readonly subject: string;
  /** The sender's own id of this message; without one a repeat is a new message. */
  readonly id?: string;
  /** The fields behind the position, as JSON text without the opening brace: `"id":…,"body":…}`. */
  readonly rest: string;
}

export interface Appended extends Position {
  /** This id was appended before: the position is the first one's, and nothing was written. */
  readonly repeated: boolean;
}

/** An append whose body the condition decides. */
export interface ConditionalRequest {
  readonly room: string;
  /** The fields behind the position up to the body, as JSON text: `"id":…,"body":`. */
  readonly beforeBody: string;
}

export interface ReadRequest {
  readonly room: string;
  /** Read what came after it; without one nothing is read and the head is told. */
  readonly since?: Position;
  /** The reader's highest acknowledged publish: is it still in the log's history? */
  readonly acked?: Position;
  /** Earliest offset that the reader may see. @default 1 */
  readonly visibleFrom?: number;
}

export interface Page {
  /** Where the log stands. */
  readonly head: Position;
  /** Nothing that followed `since` is missing from `messages` (and the pages after it). */
  readonly complete: boolean;
  /** How many are missing; undefined if that can't be known. */
  readonly lost: number | undefined;
  /** The acknowledged publish stands in the log's history. */
  readonly ackedKept: boolean;
  /** JSON texts, in order, each with its position. */
  readonly messages: readonly string[];
  /** Offset of the last message in this page, or the one to go on from. */
  readonly end: number;
  /** There is more behind this page. */
  readonly more: boolean;
}

/** Largest page: an answer of 10 MB would stall the connection it is sent on. */
export const pageMessages = 200;
export const pageBytes = 256_000;

/** A room's ordered messages, wherever they are kept. */
export interface RoomLog {
  /**
   * @throws RefusedError when nothing was written
   * @throws UncertainError when it may have been: a repeat with the same id settles it
   */
  append(request: AppendRequest): Promise<Appended>;
  /**
   * Asks the condition in the same step as it appends, and appends nothing where that says so.
   * @throws as `append`: after an `UncertainError` only the condition's own state settles it
   */
  appendIf(request: ConditionalRequest, condition: Condition): Promise<Appended | Withheld>;
  /** @throws Error when the log can't be read now */
  read(request: ReadRequest): Promise<Page>;
}

/** Nothing was written: the sender may try again with or without the same id. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** It may or may not have been written. */
export class UncertainError extends Error {
  override readonly name = 'UncertainError';
}
