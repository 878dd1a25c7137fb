import { type HubMessage, type HubMessageReader, ProtocolError } from './messages.ts';

/** Ends each record of text: the handshake's and JSON's. */
export const recordSeparator = 0x1e;

/** A length has 7 bits a byte, least significant first. */
const mostLengthBytes = 5;
const nothing: Buffer = Buffer.alloc(0);

/** Where a record stands in bytes that arrived, and where the next one begins. */
interface Found {
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

/** Looks for the first record. @throws ProtocolError when it is larger than may be, or none */
export type FindRecord = (bytes: Buffer, largest: number) => Found | undefined;

/** Takes records out of bytes that arrive in pieces of any size. */
export class Records {
  readonly #find: FindRecord;
  readonly #largest: number;
  #waiting: Buffer = nothing;

  constructor(find: FindRecord, largest: number) {
    this.#find = find;
    this.#largest = largest;
  }

  add(bytes: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
  }

  /** The next one, once it is whole. @throws ProtocolError */
  take(): Buffer | undefined {
    const found = this.#find(this.#waiting, this.#largest);
    if (!found) return undefined;
    const record = this.#waiting.subarray(found.start, found.end);
    this.#waiting = this.#waiting.subarray(found.next);
    return record;
  }

  /** All that was not taken: of another kind, for whoever reads on. */
  takeRest(): Buffer {
    const rest = this.#waiting;
    this.#waiting = nothing;
    return rest;
  }
}

/**
 * Reads messages, each from a record of its own.
 * @param parse gives undefined for a kind of a later version  @throws ProtocolError
 */
export function createMessageReader(
  find: FindRecord,
  largestMessage: number,
  parse: (record: Buffer) => HubMessage | undefined,
): HubMessageReader {
  const records = new Records(find, largestMessage);
  return {
    read: (bytes) => {
      records.add(bytes);
      const messages: HubMessage[] = [];
      for (let record = records.take(); record; record = records.take()) {
        const message = parse(record);
        if (message) messages.push(message);
      }
      return messages;
    },
  };
}

export const findTextRecord: FindRecord = (bytes, largest) => {
  const end = bytes.indexOf(recordSeparator);
  assertNotLarger(end < 0 ? bytes.length : end, largest);
  return end < 0 ? undefined : { start: 0, end, next: end + 1 };
};

export const findBinaryRecord: FindRecord = (bytes, largest) => {
  let length = 0;
  for (let index = 0; index < mostLengthBytes; index += 1) {
    const byte = bytes[index];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte & 0x80) continue;
    assertNotLarger(length, largest);
    const start = index + 1;
    const end = start + length;
    return bytes.length < end ? undefined : { start, end, next: end };
  }
  throw new ProtocolError('a message begins with a length of more than 5 bytes');
};

/** A message with its length before it, as `findBinaryRecord` finds it. */
export function withLength(body: Uint8Array): Buffer {
  const head: number[] = [];
  let left = body.length;
  do {
    const rest = Math.floor(left / 128);
    head.push((left & 0x7f) | (rest > 0 ? 0x80 : 0));
    left = rest;
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

function assertNotLarger(length: number, largest: number): void {
  if (length > largest) throw new ProtocolError(`a message of more than ${largest} bytes is not taken`);
}
