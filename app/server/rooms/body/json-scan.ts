import { wellFormedRule } from '../../../protocol/text.ts';

/**
 * Levels of arrays and objects in a body. Readers in other languages end at 64 (.NET by default) to 1,000
 * (Python), and one that recurses ends its process with its stack.
 */
export const deepestBody = 100;

const tooDeep = `must have at most ${deepestBody} levels of arrays and objects`;
const tooLarge = 'must hold no number beyond 1.8e308: readers would have another one';

/** No number of fewer digits is beyond what a double holds. */
const digitsOfADouble = 300;

const quote = 0x22;
const comma = 0x2c;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const [upperE, lowerE, lowerU] = [0x45, 0x65, 0x75];

/**
 * Looks through JSON that a parser has accepted already, without recursion and without making objects of it: a
 * message's body goes into the log as its sender wrote it. What it finds of a value stands here until the next one.
 */
export class JsonScan {
  readonly text: string;
  /** Where it has come to: behind the last value or character that was passed. */
  at: number;
  /** What keeps readers from being given the value, as a rule's words. */
  fault: string | undefined;
  /** White space stands between the value's parts. */
  isSpaced = false;

  constructor(text: string, start: number) {
    this.text = text;
    this.at = start;
  }

  /** Passes white space, and a character if it is this one. @returns whether it was */
  pass(code: number): boolean {
    this.#passSpace();
    if (this.text.charCodeAt(this.at) !== code) return false;
    this.at += 1;
    return true;
  }

  /** Passes white space and the value behind it. @returns where the value starts */
  value(): number {
    this.#passSpace();
    this.fault = undefined;
    this.isSpaced = false;
    const start = this.at;
    this.#passValue();
    return start;
  }

  #passValue(): void {
    const { text } = this;
    for (let depth = 0; this.at < text.length; ) {
      const code = text.charCodeAt(this.at);
      if (code === quote) this.#passString();
      else if (code === comma || code === colon) this.at += 1;
      else if (code === openBrace || code === openBracket) {
        depth += 1;
        this.at += 1;
        if (depth > deepestBody) this.fault ??= tooDeep;
      } else if (code === closeBrace || code === closeBracket) {
        depth -= 1;
        this.at += 1;
      } else if (isSpace(code)) {
        this.isSpaced = true;
        this.at += 1;
      } else this.#passToken(code);
      if (depth === 0) return;
    }
  }

  /** A number, or `true`, `false`, `null`. */
  #passToken(first: number): void {
    const { text } = this;
    const start = this.at;
    let hasExponent = false;
    for (let code = first; !isDelimiter(code) && this.at < text.length; ) {
      if (code === lowerE || code === upperE) hasExponent = true;
      this.at += 1;
      code = text.charCodeAt(this.at);
    }
    if (first > nine || (!hasExponent && this.at - start < digitsOfADouble)) return;
    if (!Number.isFinite(Number(text.slice(start, this.at)))) this.fault ??= tooLarge;
  }

  #passString(): void {
    const { text } = this;
    let at = this.at + 1;
    for (; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === quote) break;
      if (code === backslash) at = this.#endOfEscape(at);
    }
    this.at = at + 1;
  }

  /** The last character of the escape that starts here; of a surrogate pair's second half. */
  #endOfEscape(at: number): number {
    if (this.text.charCodeAt(at + 1) !== lowerU) return at + 1;
    const unit = this.#escapedUnit(at);
    if (unit < 0xd800 || unit > 0xdfff) return at + 5;
    const next = unit < 0xdc00 ? this.#escapedUnit(at + 6) : 0;
    if (next >= 0xdc00 && next <= 0xdfff) return at + 11;
    this.fault ??= wellFormedRule;
    return at + 5;
  }

  /** The UTF-16 unit that is escaped here as `\uXXXX`; 0 where none is. */
  #escapedUnit(at: number): number {
    const unit = this.text.slice(at, at + 6);
    return unit.startsWith('\\u') ? Number.parseInt(unit.slice(2), 16) : 0;
  }

  #passSpace(): void {
    while (isSpace(this.text.charCodeAt(this.at))) this.at += 1;
  }
}

/** JSON without the white space between its parts: one line, whatever it was. */
export function compacted(text: string): string {
  // Strings are matched as a whole, so what stands in them stays.
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|[\t\n\r ]+/g, (part) => (part[0] === '"' ? part : ''));
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function isDelimiter(code: number): boolean {
  return code === comma || code === closeBracket || code === closeBrace || isSpace(code);
}
