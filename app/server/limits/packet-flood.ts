import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'socket.io';
import { endAtOnce } from '../rooms/overfull.ts';

type Connection = Socket['conn'];

/** Packets that one connection may send within a second: a client that joins 1,000 rooms in 4 hubs sends 4,000. */
const mostASecond = 5_000;

/**
 * Ends a connection that sends faster than any client has reason to, whatever is in its packets: bad ones, too, take
 * time to be read and refused. Nothing is kept of connections that are silent.
 */
export function endPacketFloods(
  io: Server,
  onFlood: (request: IncomingMessage) => void,
  most = mostASecond,
): void {
  let counts = new Map<Connection, number>();
  // One listener for all: a closure for each would stand in the memory of every connection.
  function onPacket(this: Connection): void {
    const count = (counts.get(this) ?? 0) + 1;
    counts.set(this, count);
    if (count !== most + 1) return;
    onFlood(this.request);
    // What it has sent already must not be read to the end.
    endAtOnce(this);
  }
  io.engine.on('connection', (connection: Connection) => connection.on('packet', onPacket));
  setInterval(() => {
    if (counts.size > 0) counts = new Map();
  }, 1_000).unref();
}
