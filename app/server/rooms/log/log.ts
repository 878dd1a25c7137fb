import type { Asked } from './conditional-append.ts';
import type { Position } from './position.ts';

export interface AppendRequest {
  readonly room: string;
  /** Who sends it, authenticated: one sender's ids never meet another's. */
  readonly subject: string;
  /** The sender's own id of this message; without one a repeat is a new message. */
  readonly id?: string;
  /** Milliseconds since this id was first sent. @default 0 */
  readonly age?: number | undefined;
  /** The fields behind the position, as JSON text without the opening brace: `"id":…,"body":…}`. */
  readonly rest: string;
  /** What the sender may do in a room that nothing is kept of yet. @default whatever it likes */
  readonly newRoom?: NewRoom | undefined;
}

/** A sender's making of rooms. */
export interface NewRoom {
  /** Milliseconds until it may make one; undefined: it may now. */
  readonly untilMs: number | undefined;
  /** It has made one. */
  made(): void;
}

export interface Appended extends Position {
  /** This id was appended before: the position is the first one's, and nothing was written. */
  readonly repeated: boolean;
}

/** An append whose body the precondition decides. */
export interface ConditionalRequest {
  readonly room: string;
  /** The fields behind the position up to the body, as JSON text: `"id":…,"body":`. */
  readonly beforeBody: string;
  /** As of `AppendRequest`; the precondition is not asked where it keeps the message out. */
  readonly newRoom?: NewRoom | undefined;
}

/** The earliest offset that a reader may see; one that names an epoch is void in a room that began anew since. */
export interface VisibleFrom {
  readonly offset: number;
  readonly epoch?: string | undefined;
}

export interface ReadRequest {
  readonly room: string;
  /** Read what came after it; without one nothing but the head is read. */
  readonly since?: Position | undefined;
  /** The reader's highest acknowledged publish: is it still in the log's history? */
  readonly acked?: Position | undefined;
  /** What the reader may see; all of these hold. @default everything */
  readonly visibleFrom?: readonly VisibleFrom[];
}

export interface Page {
  /** Where the log stands. */
  readonly head: Position;
  /** Nothing that followed `since`, and that the reader would have heard live, is missing from the messages. */
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
  /** Milliseconds for which a repeated id is answered with the first one's position. */
  readonly idWindowMs: number;
  /**
   * @throws NewRoomError, RefusedError when nothing was written
   * @throws UncertainError when it may have been: a repeat with the same id settles it
   */
  append(request: AppendRequest): Promise<Appended>;
  /**
   * Asks the precondition in the same step as it appends, and appends nothing where that says so.
   * @throws as `append`: after an `UncertainError` only the precondition's own state settles it
   */
  appendIf(request: ConditionalRequest, precondition: Precondition): Promise<Appended | Rejected>;
  /**
   * A room without messages leaves nothing by being read.
   * @throws UnreadableError when the log can't be read now
   */
  read(request: ReadRequest): Promise<Page>;
}

/** A log that all instances share. */
export interface SharedRoomLog extends RoomLog {
  /**
   * Tells everyone who has joined the room, on whichever instance, that messages are lost which this log never had.
   * @throws Error when that can't be said now
   */
  announceLoss(room: string, messages: number): Promise<void>;
}

/** Nothing was written: the sender may try again with or without the same id. Its cause, if any, is for the service's log. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** It may or may not have been written. Its cause, if any, is for the service's log. */
export class UncertainError extends Error {
  override readonly name = 'UncertainError';
}

/** The same, and the sender's id no longer tells: it was first sent before the window of ids. Nothing was written now. */
export class ExpiredIdError extends UncertainError {}

/** Nothing was written: the room would be a new one, and its sender may make none now. */
export class NewRoomError extends Error {
  override readonly name = 'NewRoomError';

  constructor({ untilMs }: NewRoom) {
    super(`you make many new rooms: try again in ${untilMs} ms`);
  }
}

/** The log can't be read now. Its cause, if any, is for the service's log. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/**
 * Evaluates, in the same step as an append, whether there is one and what its body is. It may change state of
 * its own in that step: who reads the log and who reads that state never see one without the other.
 */
export interface Precondition extends Asked {
  /** How a log in memory evaluates it. */
  readonly evaluate: () => Evaluation;
}

/** What to append, as JSON text; or why nothing is, in a word. */
export type Evaluation = { readonly body: string } | Rejected;

export interface Rejected {
  readonly rejected: string;
}
