/** The messages of SignalR's hub protocol, as both of its encodings carry them. */

export const messageType = {
  invocation: 1,
  streamItem: 2,
  completion: 3,
  streamInvocation: 4,
  cancelInvocation: 5,
  ping: 6,
  close: 7,
} as const;

/** Calls a method, or with `type` 4 a stream. Without an id nobody waits for an answer. */
export interface Invocation {
  readonly type: 1 | 4;
  readonly invocationId?: string | undefined;
  readonly target: string;
  readonly arguments: readonly unknown[];
  /** The arguments' JSON as their sender wrote it, where it wrote JSON: numbers keep all their digits. */
  readonly json?: (() => readonly string[]) | undefined;
  /** Streams that the caller sends beside the arguments. */
  readonly streamIds?: readonly string[] | undefined;
}

export interface StreamItem {
  readonly type: 2;
  readonly invocationId: string;
  readonly item: unknown;
}

/** Ends an invocation, or a stream; with an error, with a result, or with neither. */
export interface Completion {
  readonly type: 3;
  readonly invocationId: string;
  readonly error?: string | undefined;
  readonly hasResult?: boolean;
  readonly result?: unknown;
}

export interface CancelInvocation {
  readonly type: 5;
  readonly invocationId: string;
}

export interface Ping {
  readonly type: 6;
}

/** Ends the connection. With `allowReconnect` the client may come back by itself. */
export interface Close {
  readonly type: 7;
  readonly error?: string | undefined;
  readonly allowReconnect?: boolean | undefined;
}

export type HubMessage = Invocation | StreamItem | Completion | CancelInvocation | Ping | Close;

/** What is no message of the protocol. The connection that sent it can't be followed any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** One encoding of the protocol. */
export interface HubProtocol {
  readonly name: 'json' | 'messagepack';
  readonly isBinary: boolean;
  /** A message as a record, with what separates it from others. */
  encode(message: HubMessage): Buffer;
  /**
   * Adds bytes that arrived to those before.
   * @returns the messages that are whole now  @throws ProtocolError
   */
  createReader(largestMessage: number): HubMessageReader;
}

export interface HubMessageReader {
  /** @returns messages that are whole; a kind of a later version is left out  @throws ProtocolError */
  read(bytes: Buffer): HubMessage[];
}

/** @throws ProtocolError */
export function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new ProtocolError(`${what} must be a text`);
  return value;
}

/** @throws ProtocolError */
export function optionalTextOf(value: unknown, what: string): string | undefined {
  return value === undefined || value === null ? undefined : textOf(value, what);
}

/** @throws ProtocolError */
export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ProtocolError(`${what} must be a list`);
  return value;
}

/** @throws ProtocolError */
export function streamIdsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return listOf(value, 'streamIds').map((id) => textOf(id, 'a stream id'));
}
