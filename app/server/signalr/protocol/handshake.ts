import { jsonProtocol } from './json.ts';
import { messagePackProtocol } from './messagepack.ts';
import type { HubProtocol } from './messages.ts';
import { findTextRecord, recordSeparator } from './records.ts';

/** Why a client's handshake is refused, in the words that its libraries show. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
}

/** Stateful reconnects would need version 2; its messages are those of version 1 without them. */
const latestVersion = 2;
/** It has two short properties. */
export const largestHandshake = 4_096;
const protocols: readonly HubProtocol[] = [jsonProtocol, messagePackProtocol];

/** @param takesBinary whether the transport can carry it  @throws HandshakeError */
export function readHandshake(record: Buffer, takesBinary: boolean): HubProtocol {
  const { protocol: name, version } = parse(record);
  const protocol = protocols.find((each) => each.name === name);
  if (!protocol) throw new HandshakeError(`The protocol '${name}' is not supported.`);
  if (!Number.isInteger(version) || version > latestVersion) {
    throw new HandshakeError(`The server does not support version ${version} of the '${name}' protocol.`);
  }
  if (protocol.isBinary && !takesBinary) {
    throw new HandshakeError(
      `Cannot use the '${name}' protocol on the current transport. The transport does not support 'Binary' transfer format.`,
    );
  }
  return protocol;
}

/** Whether a client's first bytes are a handshake, be it one that is refused. */
export function isHandshake(bytes: Buffer): boolean {
  try {
    const record = findTextRecord(bytes, largestHandshake);
    return record !== undefined && parse(bytes.subarray(record.start, record.end)) !== undefined;
  } catch {
    return false;
  }
}

/** The answer to a handshake, always as text. */
export function handshakeResponse(error?: string): Buffer {
  const text = JSON.stringify(error === undefined ? {} : { error });
  return Buffer.concat([Buffer.from(text), Buffer.from([recordSeparator])]);
}

function parse(record: Buffer): { protocol: string; version: number } {
  try {
    const { protocol, version } = JSON.parse(record.toString('utf8')) as Record<string, unknown>;
    if (typeof protocol === 'string' && typeof version === 'number') return { protocol, version };
  } catch {
    // Said below.
  }
  throw new HandshakeError('The handshake request could not be read.');
}
