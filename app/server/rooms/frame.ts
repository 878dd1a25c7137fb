import type { Position } from './position.ts';

/** One message, ready to be written to a WebSocket: header and payload in one buffer. */
export class Frame {
  readonly position: Position;
  readonly bytes: Buffer;
  readonly #headerLength: number;
  #packet: string | undefined;

  private constructor(position: Position, bytes: Buffer, headerLength: number) {
    this.position = position;
    this.bytes = bytes;
    this.#headerLength = headerLength;
  }

  /** @param packet Engine.IO's text of the message, `42/chat,["message",{…}]` */
  static of(position: Position, packet: Buffer): Frame {
    const bytes = Buffer.allocUnsafe(headerLengthOf(packet.length) + packet.length);
    const headerLength = writeHeader(bytes, packet.length);
    packet.copy(bytes, headerLength);
    return new Frame(position, bytes, headerLength);
  }

  /** Socket.IO's text, without Engine.IO's type in front: what `conn.write` takes. */
  get packet(): string {
    this.#packet ??= this.bytes.toString('utf8', this.#headerLength + 1);
    return this.#packet;
  }

  /** The message itself as JSON text. @param prefixLength bytes of the packet before it */
  message(prefixLength: number): string {
    return this.bytes.toString('utf8', this.#headerLength + prefixLength, this.bytes.length - 1);
  }
}

/** Any text as one buffer to be written to a WebSocket. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(headerLengthOf(length) + length);
  bytes.write(text, writeHeader(bytes, length));
  return bytes;
}

function headerLengthOf(payloadLength: number): number {
  if (payloadLength < 126) return 2;
  return payloadLength < 65_536 ? 4 : 10;
}

/** A final, unmasked text frame (RFC 6455, 5.2). @returns where the payload starts */
function writeHeader(bytes: Buffer, payloadLength: number): number {
  bytes[0] = 0x81;
  if (payloadLength < 126) {
    bytes[1] = payloadLength;
  } else if (payloadLength < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(payloadLength, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(payloadLength), 2);
  }
  return headerLengthOf(payloadLength);
}
