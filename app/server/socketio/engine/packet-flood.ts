import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import { type InboundBounds, InboundLevels } from '../../connections/inbound-level.ts';
import { type Connection, controlFrame, endAtOnce, watchControlFrames } from './internals.ts';

export interface PacketFloodOptions {
  /** Notified of each connection that is ended. */
  readonly onFlood: (request: IncomingMessage) => void;
  /** Once a second, of each connection that sent something. @returns true: it is ended. @default nobody is asked */
  readonly isTooMuch?: (request: IncomingMessage, bytes: number) => boolean;
  readonly bounds?: Partial<InboundBounds>;
}

/** What Engine.IO says of a packet that came. */
interface Packet {
  readonly data?: string | Buffer;
}

/** Ends a connection that sends faster than any client has reason to, whatever is in its packets. */
export function endPacketFloods(io: Server, { onFlood, isTooMuch, bounds }: PacketFloodOptions): void {
  const levels = new InboundLevels<Connection>({
    bounds,
    isTooMuch: isTooMuch && (({ request }, bytes) => isTooMuch(request, bytes)),
    onFlood: (connection) => {
      onFlood(connection.request);
      // What it has sent already must not be read to the end.
      endAtOnce(connection);
    },
  });
  // One listener for all each: a closure would stand in the memory of every connection.
  function onPacket(this: Connection, { data }: Packet): void {
    levels.count(this, data === undefined ? 0 : Buffer.byteLength(data));
  }
  function onControlFrame(this: Connection): void {
    levels.count(this, 0);
  }
  io.engine.on('connection', (connection: Connection) => {
    connection.on('packet', onPacket);
    watchControlFrames(connection);
    connection.on(controlFrame, onControlFrame);
  });
}
