import type { Logger } from 'pino';
import type { Socket } from 'socket.io';

/** A log whose lines carry the connection, so that one client's story can be followed. Made when it is needed. */
export function logOf(log: Logger, socket: Socket): Logger {
  return log.child({ hub: socket.nsp.name, connection: socket.id });
}
