import type { IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import { type Connection, controlFrame, endAtOnce, watchControlFrames } from './internals.ts';

/** What one connection may send: so much at once, and a second. */
export interface InboundBounds {
  /** A client that joins 1,000 rooms in 4 hubs sends 4,000. @default 5,000 */
  readonly packets: number;
  /** Of them a second, for as long as one likes. @default 5,000 */
  readonly packetsPerSecond: number;
  /** A client that comes back with 300 publishes of 64 KB, as many as it may send at once, sends 20 MB. @default 32 MB */
  readonly bytes: number;
  /** A core reads some 100 MB of JSON in a second. @default 2 MB */
  readonly bytesPerSecond: number;
}

const defaultRetention: InboundBounds = {
  packets: 5_000,
  packetsPerSecond: 5_000,
  bytes: 32_000_000,
  bytesPerSecond: 2_000_000,
};

export interface PacketFloodOptions {
  /** Notified of each connection that is ended. */
  readonly onFlood: (request: IncomingMessage) => void;
  /** Once a second, of each connection that sent something. @returns true: it is ended. @default nobody is asked */
  readonly isTooMuch?: (request: IncomingMessage, bytes: number) => boolean;
  readonly bounds?: Partial<InboundBounds>;
}

/** What a connection has sent, less what it may send in the time that has gone by since. */
interface Level {
  packets: number;
  bytes: number;
  /** In this second alone. */
  bytesNow: number;
}

/** What Engine.IO says of a packet that came. */
interface Packet {
  readonly data?: string | Buffer;
}

/**
 * Ends a connection that sends faster than any client has reason to, whatever is in its packets: bad ones, too, take
 * time to be read and refused. Nothing is kept of connections that are silent.
 */
export function endPacketFloods(io: Server, { onFlood, isTooMuch, bounds = {} }: PacketFloodOptions): void {
  const { packets, packetsPerSecond, bytes, bytesPerSecond } = { ...defaultRetention, ...bounds };
  const levels = new Map<Connection, Level>();
  const ended = new WeakSet<Connection>();
  const end = (connection: Connection) => {
    if (ended.has(connection)) return;
    ended.add(connection);
    onFlood(connection.request);
    // What it has sent already must not be read to the end.
    endAtOnce(connection);
  };
  const count = (connection: Connection, size: number) => {
    const level = levels.get(connection) ?? { packets: 0, bytes: 0, bytesNow: 0 };
    level.packets += 1;
    level.bytes += size;
    level.bytesNow += size;
    levels.set(connection, level);
    if (level.packets > packets || level.bytes > bytes) end(connection);
  };
  // One listener for all each: a closure would stand in the memory of every connection.
  function onPacket(this: Connection, { data }: Packet): void {
    count(this, data === undefined ? 0 : Buffer.byteLength(data));
  }
  function onControlFrame(this: Connection): void {
    count(this, 0);
  }
  io.engine.on('connection', (connection: Connection) => {
    connection.on('packet', onPacket);
    watchControlFrames(connection);
    connection.on(controlFrame, onControlFrame);
  });
  setInterval(() => {
    for (const [connection, level] of levels) {
      if (isTooMuch?.(connection.request, level.bytesNow)) end(connection);
      level.packets = Math.max(0, level.packets - packetsPerSecond);
      level.bytes = Math.max(0, level.bytes - bytesPerSecond);
      level.bytesNow = 0;
      if (level.packets + level.bytes === 0) levels.delete(connection);
    }
  }, 1_000).unref();
}
