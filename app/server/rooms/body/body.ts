import { compacted, deepestBody, JsonScan } from './json-scan.ts';

const [comma, colon] = [0x2c, 0x3a];
const [openBrace, closeBrace] = [0x7b, 0x7d];
const name = '"body"';

/** A body that can't be published; the message says why. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly isTooLarge: boolean;

  constructor(rule: string, { isTooLarge = false } = {}) {
    super(`body: ${rule}`);
    this.isTooLarge = isTooLarge;
  }
}

/**
 * The `body` of a request as its sender wrote it: numbers keep all their digits, which JavaScript would round.
 *
 * @param text JSON that a parser has taken
 * @param start of the request, an object, in the text
 * @returns one line of JSON
 * @throws BodyError
 */
export function bodyInRequest(text: string, start: number, mostBytes: number): string {
  const scan = new JsonScan(text, start);
  scan.pass(openBrace);
  if (scan.pass(closeBrace)) throw new BodyError('must be there');
  let found: string | BodyError | undefined;
  do {
    const isBody = isNamedBody(text, scan.value(), scan.at);
    scan.pass(colon);
    const valueStart = scan.value();
    // As for parsers, the last of members with one name counts.
    if (isBody) found = lookAt(scan, valueStart, mostBytes);
  } while (scan.pass(comma));
  if (typeof found === 'string') return found;
  throw found ?? new BodyError('must be there');
}

/**
 * A body of this process's own, or one that came with binary parts: of these there is no text.
 *
 * @throws BodyError
 */
export function bodyOf(value: unknown, mostBytes: number): string {
  const text = stringify(value);
  if (text === undefined) throw new BodyError(`must be JSON, got: ${typeof value}`);
  const scan = new JsonScan(text, 0);
  const body = lookAt(scan, scan.value(), mostBytes);
  if (typeof body === 'string') return body;
  throw body;
}

function lookAt(
  { text, at, fault, isSpaced }: JsonScan,
  start: number,
  mostBytes: number,
): string | BodyError {
  const given = text.slice(start, at);
  const body = isSpaced ? compacted(given) : given;
  if (Buffer.byteLength(body) > mostBytes) {
    return new BodyError(`must have at most ${mostBytes} bytes as JSON`, { isTooLarge: true });
  }
  return fault === undefined ? body : new BodyError(fault);
}

function isNamedBody(text: string, start: number, end: number): boolean {
  if (end - start === name.length) return text.startsWith(name, start);
  const key = text.slice(start, end);
  return key.includes('\\') && JSON.parse(key) === 'body';
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, refuseOther);
  } catch (error) {
    if (error instanceof BodyError) throw error;
    if (error instanceof RangeError) {
      throw new BodyError(`must have at most ${deepestBody} levels of arrays and objects`);
    }
    throw new BodyError(`must be JSON: ${(error as Error).message.split('\n', 1)[0]}`);
  }
}

/** What `JSON.stringify` would take and make something else of. */
function refuseOther(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new BodyError(`must be JSON, which has no ${value}`);
  }
  const given = this[key];
  if (ArrayBuffer.isView(given) || given instanceof ArrayBuffer) {
    throw new BodyError('must be JSON: binary is not taken');
  }
  return value;
}
