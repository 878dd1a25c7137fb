/**
 * What adapters of Socket.IO say to each other: JSON, with its binary parts behind it as they are. So the clients of
 * every instance are sent the same bytes as those of the one that began.
 */

/** Stands in the JSON for a binary part, with its number. */
const marker = '\u0000binary';

/** @throws Error for what JSON can't say: a cycle, a BigInt */
export function encodePayload(message: object): string | Buffer {
  const parts: Buffer[] = [];
  const text = JSON.stringify(message, function (this: Record<string, unknown>, key, value) {
    // The value has been through `toJSON` by now, which makes a list of numbers of a buffer.
    const bytes = bytesOf(this[key]);
    if (!bytes) return value;
    parts.push(bytes);
    return { [marker]: parts.length - 1 };
  });
  if (parts.length === 0) return text;
  const all = [Buffer.from(text), ...parts];
  return Buffer.concat([Buffer.from(`${all.map(({ length }) => length).join(',')}\n`), ...all]);
}

/** @throws Error for what `encodePayload` has not made */
export function decodePayload(payload: Buffer): unknown {
  if (payload[0] === 0x7b) return JSON.parse(payload.toString());
  const headEnd = payload.indexOf('\n');
  const lengths = payload.toString('latin1', 0, headEnd).split(',').map(Number);
  let at = headEnd + 1;
  if (!(lengths.reduce((sum, length) => sum + length, at) === payload.length)) {
    throw new Error('its parts are not as long as they say');
  }
  const [text = '', ...parts] = lengths.map((length) => {
    at += length;
    return payload.subarray(at - length, at);
  });
  return JSON.parse(text.toString(), (_key, value) => {
    const part = value?.[marker];
    return typeof part === 'number' ? parts[part] : value;
  });
}

function bytesOf(value: unknown): Buffer | undefined {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (!ArrayBuffer.isView(value)) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
