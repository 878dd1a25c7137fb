import type { Logger } from 'pino';
import type { Socket } from 'socket.io';

/** A log whose lines carry the connection, so that one client's story can be followed. */
export function followConnection(log: Logger, socket: Socket): void {
  socket.data.log = log.child({ hub: socket.nsp.name, connection: socket.id });
}

export function logOf(socket: Socket): Logger {
  return socket.data.log;
}
