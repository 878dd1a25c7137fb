/**
 * Reads a pickle as data and runs nothing: the opcodes that name, make or call an object of Python's are refused with
 * the whole message. https://docs.python.org/3/library/pickletools.html says what each one is.
 */

/** A pickle that is more than data, is not whole, or is too large; the message says which. */
export class PickleError extends Error {
  override readonly name = 'PickleError';
}

/** A tuple, which python-socketio tells from a list: several arguments, and not one. */
export class Tuple extends Array<unknown> {
  static override get [Symbol.species]() {
    return Array;
  }
}

export interface PickleBounds {
  /** Levels of containers in each other. */
  readonly mostLevels: number;
  /**
   * What a value may grow to as text, in about characters: a pickle can name one container many times, in others that it
   * names many times.
   */
  readonly mostWeight: number;
}

const mark = Symbol('mark');

type Read = (reader: Reader) => void;

/** Each opcode by its byte; the comment is Python's name for it. */
const opcodes: Readonly<Record<number, Read>> = {
  128: (r) => r.skip(1), // PROTO
  149: (r) => r.skip(8), // FRAME
  40: (r) => r.push(mark), // MARK
  125: (r) => r.push({}), // EMPTY_DICT
  93: (r) => r.push([]), // EMPTY_LIST
  41: (r) => r.push(new Tuple()), // EMPTY_TUPLE
  78: (r) => r.push(null), // NONE
  136: (r) => r.push(true), // NEWTRUE
  137: (r) => r.push(false), // NEWFALSE
  74: (r) => r.push(r.bytes(4).readInt32LE()), // BININT
  75: (r) => r.push(r.bytes(1).readUInt8()), // BININT1
  77: (r) => r.push(r.bytes(2).readUInt16LE()), // BININT2
  138: (r) => r.push(integerIn(r.bytes(r.bytes(1).readUInt8()))), // LONG1
  71: (r) => r.push(r.bytes(8).readDoubleBE()), // BINFLOAT
  140: (r) => r.push(r.text(r.bytes(1).readUInt8())), // SHORT_BINUNICODE
  88: (r) => r.push(r.text(r.bytes(4).readUInt32LE())), // BINUNICODE
  141: (r) => r.push(r.text(r.length8())), // BINUNICODE8
  67: (r) => r.push(Buffer.from(r.bytes(r.bytes(1).readUInt8()))), // SHORT_BINBYTES
  66: (r) => r.push(Buffer.from(r.bytes(r.bytes(4).readUInt32LE()))), // BINBYTES
  142: (r) => r.push(Buffer.from(r.bytes(r.length8()))), // BINBYTES8
  150: (r) => r.push(Buffer.from(r.bytes(r.length8()))), // BYTEARRAY8
  148: (r) => r.memoize(r.memoSize), // MEMOIZE
  113: (r) => r.memoize(r.bytes(1).readUInt8()), // BINPUT
  114: (r) => r.memoize(r.bytes(4).readUInt32LE()), // LONG_BINPUT
  104: (r) => r.recall(r.bytes(1).readUInt8()), // BINGET
  106: (r) => r.recall(r.bytes(4).readUInt32LE()), // LONG_BINGET
  115: (r) => r.setItems([r.pop(), r.pop()].reverse()), // SETITEM
  117: (r) => r.setItems(r.popToMark()), // SETITEMS
  97: (r) => r.append([r.pop()]), // APPEND
  101: (r) => r.append(r.popToMark()), // APPENDS
  133: (r) => r.push(Tuple.of(r.pop())), // TUPLE1
  134: (r) => r.push(Tuple.from([r.pop(), r.pop()].reverse())), // TUPLE2
  135: (r) => r.push(Tuple.from([r.pop(), r.pop(), r.pop()].reverse())), // TUPLE3
  116: (r) => r.push(Tuple.from(r.popToMark())), // TUPLE
};
const stop = 0x2e;

/** @throws PickleError */
export function readPickle(payload: Buffer, bounds: PickleBounds): unknown {
  const reader = new Reader(payload);
  for (;;) {
    const opcode = reader.bytes(1).readUInt8();
    if (opcode === stop) break;
    const read = opcodes[opcode];
    if (!read) throw new PickleError(`a pickle with the opcode 0x${opcode.toString(16)} is more than data`);
    read(reader);
  }
  const value = reader.pop();
  weigh(value, bounds);
  return value;
}

class Reader {
  readonly #payload: Buffer;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  #at = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  get memoSize(): number {
    return this.#memo.size;
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#payload.length) throw new PickleError('a pickle ends in the middle');
    const bytes = this.#payload.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  skip(length: number): void {
    this.bytes(length);
  }

  length8(): number {
    // More than a number holds is more than there is.
    return Number(this.bytes(8).readBigUInt64LE());
  }

  text(length: number): string {
    return this.bytes(length).toString('utf8');
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  pop(): unknown {
    if (this.#stack.length === 0) throw new PickleError('a pickle takes more than it has');
    const value = this.#stack.pop();
    if (value === mark) throw new PickleError('a pickle takes a mark for a value');
    return value;
  }

  popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at === -1) throw new PickleError('a pickle has no mark to go back to');
    return this.#stack.splice(at).slice(1);
  }

  memoize(index: number): void {
    const value = this.#top();
    if (value === mark) throw new PickleError('a pickle takes a mark for a value');
    this.#memo.set(index, value);
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw new PickleError('a pickle names what it has not kept');
    this.push(this.#memo.get(index));
  }

  setItems(items: readonly unknown[]): void {
    const dict = this.#top();
    if (typeof dict !== 'object' || dict === null || Object.getPrototypeOf(dict) !== Object.prototype)
      throw new PickleError('a pickle sets items of what is no dict');
    if (items.length % 2 === 1) throw new PickleError('a pickle sets a key without a value');
    for (let index = 0; index < items.length; index += 2) {
      // An assignment to __proto__ would make it the prototype.
      Object.defineProperty(dict, keyOf(items[index]), {
        value: items[index + 1],
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }

  append(items: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list) || list instanceof Tuple)
      throw new PickleError('a pickle appends to what is no list');
    for (const item of items) list.push(item);
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw new PickleError('a pickle takes more than it has');
    return this.#stack.at(-1);
  }
}

/** As Python's JSON makes keys. */
function keyOf(key: unknown): string {
  if (typeof key === 'string' || typeof key === 'number') return String(key);
  if (typeof key === 'boolean' || key === null) return String(key);
  throw new PickleError('a pickle has a dict whose key is no text, number, truth value or None');
}

/** Little-endian, two's complement; as exact as a number is. */
function integerIn(bytes: Buffer): number {
  if (bytes.length === 0) return 0;
  const hex = Buffer.from(bytes).reverse().toString('hex');
  return Number(BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`)));
}

/** Walks a value as JSON would write it: what is named twice counts twice. @throws PickleError */
function weigh(value: unknown, { mostLevels, mostWeight }: PickleBounds): void {
  let left = mostWeight;
  const visit = (each: unknown, level: number): void => {
    if (level > mostLevels) throw new PickleError(`a pickle has more than ${mostLevels} levels`);
    left -= 8 + (typeof each === 'string' || Buffer.isBuffer(each) ? each.length : 0);
    if (left < 0) throw new PickleError('a pickle is larger than it looks');
    if (typeof each !== 'object' || each === null || Buffer.isBuffer(each)) return;
    if (Array.isArray(each)) {
      for (const item of each) visit(item, level + 1);
      return;
    }
    for (const [key, item] of Object.entries(each)) {
      left -= key.length;
      visit(item, level + 1);
    }
  };
  visit(value, 0);
}
