import type { RequestLimits } from '../connection/connection.ts';
import { HubError } from './errors.ts';

/** Bytes that the packet adds to a request: two types, the namespace, and a number. */
const overheadBytes = 64;

/**
 * Measures a request before it is sent. If a packet is too large, the server ends the connection without a reason, and
 * it would do so at each repeat.
 *
 * @returns its bytes
 * @throws HubError `too_large`, or `bad_request` if it can't be sent as JSON
 */
export function measureRequest(
  method: string,
  request: object,
  { packetBytes = Number.POSITIVE_INFINITY, bodyBytes = Number.POSITIVE_INFINITY }: RequestLimits,
): number {
  let attached = 0;
  // Binary data is sent in packets of its own. Each has the same limit.
  const asText = function (this: Record<string, unknown>, key: string, value: unknown): unknown {
    const bytes = bytesOfBinary(this[key]);
    if (bytes === undefined) return value;
    attached = Math.max(attached, bytes);
    return null;
  };
  const bytes = bytesOf(stringify([method, request], asText)) + overheadBytes;
  const largest = Math.max(bytes, attached);
  if (largest > packetBytes) throw tooLarge('the request', largest, packetBytes);
  const { body } = request as { body?: unknown };
  if (body !== undefined && bytes > bodyBytes) {
    const ofBody = bytesOf(stringify(body, asText));
    if (ofBody > bodyBytes) throw tooLarge('the body', ofBody, bodyBytes);
  }
  return bytes;
}

function tooLarge(what: string, bytes: number, most: number): HubError {
  const [has, may] = [bytes, most].map((each) => each.toLocaleString('en'));
  return new HubError({ code: 'too_large', message: `${what} has ${has} bytes, and may have ${may}` });
}

function stringify(value: unknown, asText: (key: string, value: unknown) => unknown): string {
  try {
    return JSON.stringify(value, asText) ?? '';
  } catch (error) {
    throw new HubError({
      code: 'bad_request',
      message: `not to be sent as JSON: ${(error as Error).message}`,
    });
  }
}

function bytesOfBinary(value: unknown): number | undefined {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof Blob === 'function' && value instanceof Blob) return value.size;
  return undefined;
}

/** Bytes of UTF-8, because some platforms have no `TextEncoder`. JSON escapes half of a surrogate pair. */
function bytesOf(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    const isOneOfTwo = unit >= 0xd800 && unit <= 0xdfff;
    bytes += unit < 0x800 || isOneOfTwo ? 1 : 2;
  }
  return bytes;
}
