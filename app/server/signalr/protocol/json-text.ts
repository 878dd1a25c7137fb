import { randomBytes } from 'node:crypto';
import { JsonScan } from '../../rooms/body/json-scan.ts';

/** JSON that is sent as it is: a message of a room, a reply. Where it becomes MessagePack, its integers keep their digits. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What has no JSON, such as binary, among a client's arguments. */
export class NoJsonError extends Error {
  override readonly name = 'NoJsonError';
}

/** Says which strings stand for integers. Nobody can guess it, so nobody can write one. */
const mark = `${randomBytes(12).toString('hex')}:`;
const markedPattern = new RegExp(`"${mark}(-?\\d+)"`, 'g');

/** What `JSON.parse` alone would not do well: long numbers, and a name that readers of MessagePack refuse. */
const unusual = /\d{16}|__proto__|\\u00/i;
const stringsAndNumbers = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
/** MessagePack's integers have 64 bits. */
const [least, most] = [-(2n ** 63n), 2n ** 64n - 1n];
/** From here on a MessagePack library writes numbers and large integers in different ways. */
const large = 2 ** 32;

export interface ParsedText {
  readonly value: unknown;
  /** Integers of 32 bits or more are `bigint` in it, and none are where this is false. */
  readonly hasBigInt: boolean;
}

/**
 * The value of a text, in which no integer of up to 64 bits was rounded. A member `__proto__` is left out: clients of
 * MessagePack end their connection at it.
 */
export function parseText({ text }: JsonText): ParsedText {
  if (!unusual.test(text)) return { value: JSON.parse(text), hasBigInt: false };
  let hasBigInt = false;
  const marked = text.replace(stringsAndNumbers, (token) => {
    if (!isLongInteger(token)) return token;
    hasBigInt = true;
    return `"${mark}${token}"`;
  });
  const value = JSON.parse(marked, (key, each) => {
    if (key === '__proto__') return undefined;
    if (typeof each === 'string' && each.startsWith(mark)) return BigInt(each.slice(mark.length));
    return hasBigInt && Number.isSafeInteger(each) && Math.abs(each) >= large ? BigInt(each) : each;
  });
  return { value, hasBigInt };
}

/** The JSON of a value that came as MessagePack. @throws NoJsonError */
export function jsonOf(value: unknown): string {
  let hasBigInt = false;
  const json = stringify(value, function (this: Readonly<Record<string, unknown>>, key, each) {
    const given = this[key];
    if (ArrayBuffer.isView(given)) throw new NoJsonError('must be JSON: binary is not taken');
    if (typeof each === 'number' && !Number.isFinite(each)) {
      throw new NoJsonError(`must be JSON, which has no ${each}`);
    }
    if (typeof each !== 'bigint') return each;
    hasBigInt = true;
    return `${mark}${each}`;
  });
  return hasBigInt ? json.replace(markedPattern, '$1') : json;
}

/** The texts of a message's arguments. @param text of a message that a parser has taken */
export function argumentsIn(text: string): string[] {
  const scan = new JsonScan(text, 0);
  let found: string[] = [];
  scan.pass(0x7b);
  do {
    const start = scan.value();
    const key = text.slice(start, scan.at);
    scan.pass(0x3a);
    // As for parsers, the last of members with one name counts.
    if (JSON.parse(key) === 'arguments') found = elementsAt(scan);
    else scan.value();
  } while (scan.pass(0x2c));
  return found;
}

function elementsAt(scan: JsonScan): string[] {
  const elements: string[] = [];
  scan.pass(0x5b);
  if (scan.pass(0x5d)) return elements;
  do {
    const start = scan.value();
    elements.push(scan.text.slice(start, scan.at));
  } while (scan.pass(0x2c));
  scan.pass(0x5d);
  return elements;
}

function isLongInteger(token: string): boolean {
  if (!/^-?\d{16,20}$/.test(token) || Number.isSafeInteger(Number(token))) return false;
  const integer = BigInt(token);
  return integer >= least && integer <= most;
}

function stringify(value: unknown, replace: (key: string, value: unknown) => unknown): string {
  try {
    return JSON.stringify(value, replace) ?? 'null';
  } catch (error) {
    if (error instanceof RangeError) throw new NoJsonError('has too many levels of arrays and objects');
    throw error;
  }
}
