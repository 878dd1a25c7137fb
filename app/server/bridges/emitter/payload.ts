import { decode, ExtensionCodec } from '@msgpack/msgpack';
import { z } from 'zod';
import { assertMessagePackBounds } from '../../net/messagepack-bounds.ts';
import { deepestBody } from '../../rooms/body/json-scan.ts';

/**
 * What `@socket.io/redis-emitter`, `socket.io-emitter` and the emitters of other languages publish for the servers'
 * classic Redis adapter.
 */

const mostBytes = 1_000_000;
/** The list around the packet, the packet, and its data. */
const mostLevels = deepestBody + 3;
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
  assertMessagePackBounds(payload, mostLevels);
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
