import { z } from 'zod';
import { attach, type Detached } from '../../rooms/body/attachments.ts';
import { deepestBody } from '../../rooms/body/json-scan.ts';
import { readPickle, Tuple } from './pickle.ts';

/**
 * What python-socketio's instances say to each other in Redis, in the words of its `AsyncPubSubManager`. The formats
 * differ by its version: app/server/bridges/README.md.
 */

/** As much as the service takes of a client at once, ten times. */
const mostBytes = 1_000_000;
const pickleMark = 0x80;

/** A room may be anything that can be a key in Python. */
const name = z.union([z.string(), z.number()]).transform(String);
const names = z
  .union([name.transform((one) => [one]), z.array(name).max(10_000)])
  .nullish()
  .transform((given) => given ?? undefined);
const namespace = z
  .string()
  .nullish()
  .transform((given) => given || '/');
const hostId = z.string().nullish();

const schema = z.discriminatedUnion('method', [
  z.object({
    method: z.literal('emit'),
    event: z.string(),
    data: z.unknown(),
    binary: z.boolean().optional(),
    namespace,
    room: names,
    skip_sid: names,
    callback: z.tuple([name, z.string(), z.number()]).nullish(),
    host_id: hostId,
  }),
  z.object({ method: z.literal('disconnect'), sid: z.string(), namespace, host_id: hostId }),
  z.object({ method: z.literal('enter_room'), sid: z.string(), room: name, namespace, host_id: hostId }),
  z.object({ method: z.literal('leave_room'), sid: z.string(), room: name, namespace, host_id: hostId }),
  z.object({ method: z.literal('close_room'), room: name, namespace, host_id: hostId }),
  z.object({ method: z.literal('callback'), host_id: hostId }),
]);

type Message = z.output<typeof schema>;
type Emit = Extract<Message, { method: 'emit' }>;
export type PythonEmit = Emit & { readonly args: readonly unknown[] };
export type PythonMessage = Exclude<Message, Emit> | PythonEmit;

/** A version as `5.15.1`: the oldest that listens and emits JSON. */
export type PythonVersion = readonly [major: number, minor: number, patch: number];

/** From this one on, what is emitted is a list of the event's arguments; before, a list is one argument. */
const listsArguments: PythonVersion = [5, 15, 1];
/** From this one on, an emit says whether it has binary: all that do and are older than the one above. */
const saysWhetherBinary: PythonVersion = [5, 14, 2];

/** @throws Error for what no python-socketio has said, or what is larger or deeper than may be */
export function readPayload(payload: Buffer, version: PythonVersion): PythonMessage {
  if (payload.length > mostBytes)
    throw new Error(`it has ${payload.length} bytes; at most ${mostBytes} are read`);
  const isPickle = payload[0] === pickleMark;
  const given = isPickle
    ? readPickle(payload, { mostLevels: deepestBody + 10, mostWeight: 2 * mostBytes })
    : JSON.parse(payload.toString());
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new Error(`it is no message of python-socketio: ${wrongIn(parsed.error)}`);
  const message = parsed.data;
  if (message.method !== 'emit') return message;
  const whole = wholeData(message);
  const hasLists = isPickle || message.binary === undefined || isBetween(version);
  return { ...message, args: argumentsIn(whole, whole instanceof Tuple || !hasLists) };
}

/** Whether a list that such a version emits is one argument, though its message looks like one of a later version. */
function isBetween(version: PythonVersion): boolean {
  return isAtLeast(version, saysWhetherBinary) && !isAtLeast(version, listsArguments);
}

function wholeData({ data, binary }: Emit): unknown {
  if (!binary) return data;
  if (!Array.isArray(data)) throw new Error('it says that it has attachments, and has none');
  const [structure, ...attachments] = data as unknown[];
  if (!attachments.every((each) => typeof each === 'string'))
    throw new Error('its attachments are no base64');
  return attach(
    [structure],
    attachments.map((text) => Buffer.from(text as string, 'base64')),
  )[0];
}

function argumentsIn(data: unknown, isArguments: boolean): readonly unknown[] {
  const args = isArguments && Array.isArray(data) ? Array.from(data) : [data];
  // None alone is how Python says that there is no argument.
  return args.length === 1 && (args[0] ?? null) === null ? [] : args;
}

function wrongIn({ issues }: z.ZodError): string {
  const [first] = issues;
  return `${first?.path.join('.') || 'it'}: ${first?.message}`.slice(0, 200);
}

function isAtLeast(version: PythonVersion, least: PythonVersion): boolean {
  for (const [index, part] of least.entries()) {
    const given = version[index] as number;
    if (given !== part) return given > part;
  }
  return true;
}

export interface PythonEmission {
  readonly event: string;
  /** The arguments. */
  readonly data: Detached;
  readonly namespace: string;
  /** Undefined: all that are connected. */
  readonly room: string | undefined;
  readonly except: string | undefined;
  readonly hostId: string;
}

/** JSON, which every version reads. */
export function writeEmit(
  { event, data, namespace, room, except, hostId }: PythonEmission,
  version: PythonVersion,
): string {
  const structure = dataOf(data.values, version);
  const binary = data.attachments.length > 0;
  return JSON.stringify({
    method: 'emit',
    event,
    data: binary ? [structure, ...data.attachments.map((bytes) => bytes.toString('base64'))] : structure,
    binary,
    namespace,
    room: room ?? null,
    skip_sid: except ?? null,
    callback: null,
    host_id: hostId,
  });
}

/** One argument that is no list says the same to every version, and so does none. */
function dataOf(args: readonly unknown[], version: PythonVersion): unknown {
  if (args.length === 0) return null;
  const [first] = args;
  if (args.length > 1) return args;
  return Array.isArray(first) && isAtLeast(version, listsArguments) ? [first] : first;
}

export interface PythonCallback {
  /** Of the process that asked. */
  readonly hostId: string;
  readonly callback: readonly [room: string, namespace: string, id: number];
  readonly args: readonly unknown[];
}

export function writeCallback({ hostId, callback, args }: PythonCallback): string {
  const [sid, namespace, id] = callback;
  return JSON.stringify({ method: 'callback', host_id: hostId, sid, namespace, id, args });
}

/** What every version leaves out: the answer to a question that nobody asked. */
export function writeNothing(hostId: string): string {
  return JSON.stringify({ method: 'callback', host_id: hostId, sid: '', namespace: '/', id: 0, args: [] });
}
