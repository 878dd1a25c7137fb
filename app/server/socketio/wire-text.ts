import type { Socket } from 'socket.io';
import { JsonScan } from '../rooms/json-scan.ts';
import type { RequestText } from '../rooms/rpc.ts';

/** What is touched of Socket.IO 4.8 beyond its public API; a version without it is left as it is. */
interface ClientInternals {
  readonly decoder?: Decoder;
}

interface Decoder {
  decodeString?(this: Decoder, text: string): DecodedPacket;
}

interface DecodedPacket {
  readonly type: number;
  readonly data?: unknown;
}

const event = 2;
const [openBracket, comma] = [0x5b, 0x2c];
const wireText = Symbol('wire text');

/** From now on the first argument of what this connection sends knows the packet's text, which Socket.IO drops. */
export function keepWireText({ client }: Socket): void {
  const { decoder } = client as unknown as ClientInternals;
  if (typeof decoder?.decodeString === 'function') decoder.decodeString = decodeAndKeep;
}

/** One function for all connections: a closure for each would stand in the memory of every one. */
function decodeAndKeep(this: Decoder, text: string): DecodedPacket {
  const packet = (Object.getPrototypeOf(this) as Required<Decoder>).decodeString.call(this, text);
  // What has binary parts is another type: its text lacks them.
  if (packet.type !== event) return packet;
  const argument: unknown = (packet.data as readonly unknown[] | undefined)?.[1];
  if (typeof argument === 'object' && argument !== null) {
    (argument as { [wireText]?: string })[wireText] = text;
  }
  return packet;
}

/** The text that an event's first argument, an object, came in; undefined where none was kept. */
export function requestTextOf(argument: unknown): RequestText | undefined {
  const text = (argument as { readonly [wireText]?: string } | null | undefined)?.[wireText];
  return text === undefined ? undefined : new WireText(text);
}

/** Where the request begins is looked for when it is asked: most requests have nothing that is read from their text. */
class WireText implements RequestText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get start(): number {
    return firstArgumentIn(this.text);
  }
}

/** Where the request begins in `2/chat,7["publish",{"body":…}]`. */
export function firstArgumentIn(packet: string): number {
  // A namespace ends with a comma and may hold brackets.
  const afterNamespace = packet[1] === '/' ? packet.indexOf(',') : 0;
  const scan = new JsonScan(packet, packet.indexOf('[', afterNamespace));
  scan.pass(openBracket);
  scan.value();
  scan.pass(comma);
  return scan.at;
}
