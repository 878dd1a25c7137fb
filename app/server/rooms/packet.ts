import type { Position } from './position.ts';

/**
 * A message as Socket.IO's text on the wire, and where its parts stand in it.
 *
 * The log numbers messages, so the text is put together there, of three pieces: what stands before the
 * position, the position, and the rest. Built by hand because no instance may parse JSON to pass a message on.
 */

/**
 * The text of an `emit('message', …)` up to the message, for a namespace: `42/chat,["message",`.
 * 4 is Engine.IO's message, 2 Socket.IO's event.
 */
export function packetPrefix(namespace: string): string {
  return namespace === '/' ? '42["message",' : `42${namespace},["message",`;
}

/** The text of a JSON answer to a client's event: `43/chat,7[{…}]`. 3 is Socket.IO's acknowledgement. */
export function acknowledgement(namespace: string, packetId: number, answer: object): string {
  return `43${namespace === '/' ? '' : `${namespace},`}${packetId}[${JSON.stringify(answer)}]`;
}

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
