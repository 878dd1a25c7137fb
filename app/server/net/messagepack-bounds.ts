/**
 * Looks at all lengths of a MessagePack value before anything is made of them: a list says in five bytes that it has a
 * million items, for which a decoder makes room at once, and again in each list within it. Together they may promise no
 * more values than there are bytes.
 *
 * @param mostLevels of lists and maps in each other. @default any
 * @throws Error that says what is wrong
 */
export function assertMessagePackBounds(payload: Buffer, mostLevels = Number.POSITIVE_INFINITY): void {
  /** Values that each open container still lacks. */
  const lacking = [1];
  let promised = 1;
  let at = 0;
  while (lacking.length > 0) {
    const level = lacking.length - 1;
    if (lacking[level] === 0) {
      lacking.pop();
      continue;
    }
    lacking[level] = (lacking[level] as number) - 1;
    const { items, bytes } = headerAt(payload, at);
    at += bytes;
    promised += items;
    if (at > payload.length || promised > payload.length) throw new Error('it promises more than it has');
    if (items > 0) lacking.push(items);
    if (lacking.length > mostLevels) throw new Error(`it has more than ${mostLevels} levels`);
  }
}

/** A value of MessagePack's: how many others are in it, and its own bytes. */
interface Header {
  readonly items: number;
  readonly bytes: number;
}

function headerAt(payload: Buffer, at: number): Header {
  const byte = payload[at];
  if (byte === undefined) throw new Error('it ends in the middle');
  if (byte <= 0x7f || byte >= 0xe0) return { items: 0, bytes: 1 };
  if (byte <= 0x8f) return { items: 2 * (byte & 0x0f), bytes: 1 };
  if (byte <= 0x9f) return { items: byte & 0x0f, bytes: 1 };
  if (byte <= 0xbf) return { items: 0, bytes: 1 + (byte & 0x1f) };
  const fixed = fixedBytes[byte];
  if (fixed !== undefined) return { items: 0, bytes: fixed };
  const sized = sizedBytes[byte];
  if (!sized) throw new Error('it has a byte that MessagePack lacks');
  const [lengthBytes, kind] = sized;
  if (at + 1 + lengthBytes > payload.length) throw new Error('it ends in the middle');
  const length = payload.readUIntBE(at + 1, lengthBytes);
  const head = 1 + lengthBytes;
  if (kind === 'list') return { items: length, bytes: head };
  if (kind === 'map') return { items: 2 * length, bytes: head };
  return { items: 0, bytes: head + length + (kind === 'extension' ? 1 : 0) };
}

/** nil, false, true, float 32 and 64, integers, and extensions of a fixed length. */
const fixedBytes: Readonly<Record<number, number>> = {
  ...{ 192: 1, 194: 1, 195: 1, 202: 5, 203: 9 },
  ...{ 204: 2, 205: 3, 206: 5, 207: 9, 208: 2, 209: 3, 210: 5, 211: 9 },
  ...{ 212: 3, 213: 4, 214: 6, 215: 10, 216: 18 },
};

const sizedBytes: Readonly<
  Record<number, readonly [lengthBytes: number, kind: 'bytes' | 'extension' | 'list' | 'map']>
> = {
  ...{ 196: [1, 'bytes'], 197: [2, 'bytes'], 198: [4, 'bytes'] },
  ...{ 199: [1, 'extension'], 200: [2, 'extension'], 201: [4, 'extension'] },
  ...{ 217: [1, 'bytes'], 218: [2, 'bytes'], 219: [4, 'bytes'] },
  ...{ 220: [2, 'list'], 221: [4, 'list'], 222: [2, 'map'], 223: [4, 'map'] },
};
