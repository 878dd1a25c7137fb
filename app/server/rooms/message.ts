import type { Position } from './log/position.ts';

/** A message of a room's log as it is kept: its JSON text, and where it stands. */
export interface RecentMessage {
  readonly position: Position;
  readonly text: string;
}

/** The same as it is passed on. */
export interface LoggedMessage extends RecentMessage {
  /** The text in UTF-8. */
  readonly bytes: Buffer;
}

/*
 * The text is put together where the log numbers messages, of three pieces: what stands before the position, the
 * position, and the rest. Built by hand because no instance may parse JSON to pass a message on.
 */

/** The message up to its position: `{"room":"lobby",`. */
export function messageHead(room: string): string {
  return `{"room":${JSON.stringify(room)},`;
}

/** The fields behind the position. `body` is JSON text. */
export function messageRest(id: string, from: string, at: number, body: string): string {
  return `${messageBeforeBody(id, from, at)}${body}}`;
}

/** The same up to the body, where that is not known yet: it and a closing brace follow. */
export function messageBeforeBody(id: string, from: string, at: number): string {
  return `"id":${JSON.stringify(id)},"from":${JSON.stringify(from)},"at":${at},"body":`;
}

/** `"epoch":"…","offset":…,` and, in the first message of an epoch, where the one before ended. */
export function messagePosition({ epoch, offset }: Position, previous?: Position): string {
  const before = previous ? `"prev":{"epoch":"${previous.epoch}","offset":${previous.offset}},` : '';
  return `"epoch":"${epoch}","offset":${offset},${before}`;
}

/** Reads the position that stands behind the head, without parsing the message. */
export function positionIn(message: string, headLength: number): Position {
  const epochStart = headLength + '"epoch":"'.length;
  const epochEnd = message.indexOf('"', epochStart);
  const offsetStart = epochEnd + '","offset":'.length;
  const offsetEnd = message.indexOf(',', offsetStart);
  return {
    epoch: message.slice(epochStart, epochEnd),
    offset: Number(message.slice(offsetStart, offsetEnd)),
  };
}

/** A first message that also says what stands before it; one that says that already stays as it is. */
export function continuing(
  message: string,
  headLength: number,
  position: Position,
  previous: Position,
): string {
  const bare = messagePosition(position);
  const rest = message.slice(headLength + bare.length);
  if (rest.startsWith('"prev":')) return message;
  return message.slice(0, headLength) + messagePosition(position, previous) + rest;
}

/** Kept for each room that has members: a client that comes back soon costs Redis nothing. */
const mostMessages = 64;
const mostCharacters = 64_000;
/** Let go of together: taking one off the front moves all the others. */
const blockMessages = 16;

/**
 * The newest messages of a room, contiguous and of one epoch: their texts alone, since all else of a message that is kept
 * would be copied by the garbage collector until it is old. As strings: a Buffer of a message's size keeps 640 bytes.
 */
export class RecentMessages {
  #epoch = '';
  /** Offset of the first one. */
  #first = 0;
  #texts: string[] = [];
  #characters = 0;

  push({ position, text }: RecentMessage): void {
    const { epoch, offset } = position;
    if (epoch !== this.#epoch || offset !== this.#first + this.#texts.length) this.clear();
    if (this.#texts.length === 0) {
      this.#epoch = epoch;
      this.#first = offset;
    }
    this.#texts.push(text);
    this.#characters += text.length;
    if (this.#texts.length >= mostMessages + blockMessages) this.#drop(blockMessages);
    while (this.#characters > mostCharacters && this.#texts.length > 0) this.#drop(1);
  }

  #drop(count: number): void {
    for (const text of this.#texts.splice(0, count)) this.#characters -= text.length;
    this.#first += count;
  }

  clear(): void {
    this.#texts = [];
    this.#characters = 0;
  }

  /** What came after `since`, up to `cursor`; undefined where that is more than is kept. */
  between(since: Position, cursor: Position): readonly RecentMessage[] | undefined {
    if (since.epoch !== cursor.epoch || since.offset > cursor.offset) return undefined;
    if (since.offset === cursor.offset) return [];
    const next = this.#first + this.#texts.length;
    if (this.#texts.length === 0 || this.#epoch !== cursor.epoch || next !== cursor.offset + 1)
      return undefined;
    if (this.#first > since.offset + 1) return undefined;
    return this.#texts.slice(since.offset + 1 - this.#first).map((text, index) => ({
      position: { epoch: cursor.epoch, offset: since.offset + 1 + index },
      text,
    }));
  }
}
