import { decode, ExtensionCodec } from '@msgpack/msgpack';
import { z } from 'zod';
import { deepestBody } from '../../rooms/json-scan.ts';

/**
 * What `@socket.io/redis-emitter`, `socket.io-emitter` and the emitters of other languages publish for the servers'
 * classic Redis adapter.
 */

const mostBytes = 1_000_000;
const names = z.array(z.string()).max(10_000).nullish();
const options = z.object({ rooms: names, except: names });

/** `[uid, packet, options]`; older emitters omit `nsp` for `/`, and `except`. */
const emitSchema = z.tuple([
  z.unknown(),
  z.object({ data: z.tuple([z.string()], z.unknown()), nsp: z.string().optional() }),
  options.nullish(),
]);

const commandSchema = z.union([
  z.object({
    type: z.union([z.literal(2), z.literal(3)]),
    opts: options,
    rooms: z.array(z.string()).max(10_000),
  }),
  z.object({ type: z.literal(4), opts: options }),
  /** What servers ask each other, and `serverSideEmit`. */
  z.object({ type: z.number() }),
]);

export interface EmitterEmit {
  readonly event: string;
  readonly args: readonly unknown[];
  readonly namespace: string;
  /** Undefined: all that are connected. */
  readonly rooms: readonly string[] | undefined;
  readonly except: readonly string[];
}

export interface EmitterCommand {
  readonly kind: 'join' | 'leave' | 'disconnect';
  /** Whom it concerns; undefined: all that are connected. */
  readonly of: readonly string[] | undefined;
  readonly except: readonly string[];
  /** What they join or leave. */
  readonly rooms: readonly string[];
}

/** @throws Error for what no emitter has said, or what is larger or deeper than may be */
export function readEmit(payload: Buffer): EmitterEmit {
  assertSize(payload);
  assertBounded(payload);
  const parsed = emitSchema.safeParse(decode(payload, { extensionCodec: extensions }));
  if (!parsed.success) throw new Error(`it is no emit: ${wrongIn(parsed.error)}`);
  const [, { data, nsp = '/' }, opts] = parsed.data;
  const [event, ...args] = data;
  return { event, args, namespace: nsp, rooms: roomsIn(opts?.rooms), except: opts?.except ?? [] };
}

/** @returns undefined for what is none of an emitter's commands @throws Error as `readEmit` */
export function readCommand(payload: Buffer): EmitterCommand | undefined {
  assertSize(payload);
  const parsed = commandSchema.safeParse(JSON.parse(payload.toString()));
  if (!parsed.success) throw new Error(`it is no command: ${wrongIn(parsed.error)}`);
  const command = parsed.data;
  if (!('opts' in command)) return undefined;
  const { opts } = command;
  return {
    kind: command.type === 2 ? 'join' : command.type === 3 ? 'leave' : 'disconnect',
    of: roomsIn(opts.rooms),
    except: opts.except ?? [],
    rooms: 'rooms' in command ? command.rooms : [],
  };
}

/** Without rooms, Socket.IO means everyone. */
function roomsIn(rooms: readonly string[] | null | undefined): readonly string[] | undefined {
  return rooms && rooms.length > 0 ? rooms : undefined;
}

function assertSize({ length }: Buffer): void {
  if (length > mostBytes) throw new Error(`it has ${length} bytes; at most ${mostBytes} are read`);
}

function wrongIn({ issues }: z.ZodError): string {
  const [first] = issues;
  return `${first?.path.join('.') || 'it'}: ${first?.message}`.slice(0, 200);
}

/** What notepack writes: `undefined`, and times in milliseconds. */
const extensions = new ExtensionCodec();
extensions.register({
  type: 0,
  encode: () => null,
  decode: (bytes) => {
    if (bytes.length !== 8) return null;
    const time = new Date(Number(Buffer.from(bytes).readBigInt64BE()));
    return Number.isNaN(time.getTime()) ? null : time;
  },
});

const tooDeep = `it has more than ${deepestBody} levels`;
/** The list around the packet, the packet, and its data. */
const mostLevels = deepestBody + 3;

/**
 * Looks at all lengths before anything is made of them: a list says in five bytes that it has a billion items, for
 * which a decoder makes room at once, and again in each list within it.
 */
function assertBounded(payload: Buffer): void {
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
    if (lacking.length > mostLevels) throw new Error(tooDeep);
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
