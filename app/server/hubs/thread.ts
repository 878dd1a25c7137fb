import type { Logger } from 'pino';
import type { Namespace, Socket } from 'socket.io';
import type { Identity } from '../auth/identity.ts';

/**
 * A log whose lines carry the connection and its user, so that one client's story can be followed. Made when it is
 * needed. The connection is named by its socket's id: Engine.IO's own would let its reader take over a session.
 */
export function logOf(log: Logger, socket: Socket, room?: string): Logger {
  const { identity } = socket.data as { identity?: Identity };
  return log.child({
    hub: socket.nsp.name.slice(1),
    connection: socket.id,
    ...(identity === undefined ? {} : { user: identity.subject }),
    ...(room === undefined ? {} : { room }),
  });
}

/**
 * Tells each connection's beginning and end, where the log is to be that fine.
 *
 * @param addressOf the client's address, behind whatever proxies are trusted
 */
export function tellConnections(
  namespace: Namespace,
  log: Logger,
  addressOf: (socket: Socket) => string = ({ handshake }) => handshake.address,
): void {
  if (!log.isLevelEnabled('debug')) return;
  namespace.on('connection', (socket) => {
    const openedAt = Date.now();
    const transport = () => socket.conn.transport?.name;
    logOf(log, socket).debug({ transport: transport(), address: addressOf(socket) }, 'connected');
    socket.on('disconnect', (reason) => {
      const lifetimeSeconds = (Date.now() - openedAt) / 1000;
      const ending = { reason, lifetimeSeconds, transport: transport(), address: addressOf(socket) };
      logOf(log, socket).debug(ending, 'disconnected');
    });
  });
}
