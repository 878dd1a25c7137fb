import type { Namespace } from 'socket.io';
import { mostBeforeEvent } from '../connections/waiting-bytes.ts';
import { hasBinary } from '../rooms/body/attachments.ts';
import { AdapterFrame } from './adapter-format.ts';
import { freeTcpSocket, internalsOf } from './engine/internals.ts';
import { mayWrite } from './engine/slow-consumer.ts';
import { headerLengthOf, textFrame, writeHeader } from './frame.ts';
import type { SocketFormat, SocketFrame, SocketMember } from './member.ts';
import { eventPacket, messagePrefix } from './packet.ts';

const closeBracket = 0x5d;

/**
 * Writes a frame's one buffer straight to each member's TCP socket, wherever that is free. Everyone else is
 * served through the engine, in order.
 */
export class DirectFormat implements SocketFormat {
  readonly #namespace: Namespace;
  readonly #prefix: Buffer;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    this.#prefix = Buffer.from(messagePrefix(namespace.name));
  }

  message(text: Buffer): SocketFrame {
    const length = this.#prefix.length + text.length + 1;
    const bytes = Buffer.allocUnsafe(headerLengthOf(length) + length);
    const start = writeHeader(bytes, length);
    this.#prefix.copy(bytes, start);
    text.copy(bytes, start + this.#prefix.length);
    bytes[bytes.length - 1] = closeBracket;
    return new DirectFrame(bytes, start);
  }

  event(name: string, ...args: readonly unknown[]): SocketFrame {
    // It takes several packets, which nothing may come between.
    if (hasBinary(args)) return new AdapterFrame(this.#namespace, name, args);
    const packet = eventPacket(this.#namespace.name, name, args);
    return new DirectFrame(textFrame(packet), headerLengthOf(Buffer.byteLength(packet)));
  }
}

/** A WebSocket frame: header and payload in one buffer. */
class DirectFrame implements SocketFrame {
  readonly #bytes: Buffer;
  readonly #headerLength: number;
  #packet: string | undefined;

  constructor(bytes: Buffer, headerLength: number) {
    this.#bytes = bytes;
    this.#headerLength = headerLength;
  }

  deliverTo({ connection }: SocketMember): void {
    const tcp = freeTcpSocket(internalsOf(connection));
    if (!tcp) connection.write(this.#text);
    else if (tcp.writableLength === 0 || mayWrite(connection, tcp.writableLength)) tcp.write(this.#bytes);
  }

  offerTo({ connection }: SocketMember): void {
    const engine = internalsOf(connection);
    const tcp = freeTcpSocket(engine);
    if (tcp) {
      if (tcp.writableLength <= mostBeforeEvent) tcp.write(this.#bytes);
    } else if (engine.transport.writable) {
      connection.write(this.#text);
    }
  }

  /** Every member was written to by itself. */
  flush(): void {}

  /** What Engine.IO takes: it puts its own type in front. */
  get #text(): string {
    this.#packet ??= this.#bytes.toString('utf8', this.#headerLength + 1);
    return this.#packet;
  }
}
