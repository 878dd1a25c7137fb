import type { Socket } from 'socket.io';

/**
 * Ends the connection of a client that does not read what it is sent: it comes back and recovers from the
 * log. `terminate()` and not `disconnect()`: a closing handshake would wait behind what the client does not
 * read, and keep the memory that this is to free.
 */
export function dropOverfull({ conn }: Socket): void {
  endAtOnce(conn);
}

/** Ends a connection without a closing handshake: what waits on it, either way, is dropped. */
export function endAtOnce(connection: Socket['conn']): void {
  const { transport } = connection as unknown as {
    transport: { name: string; socket?: { terminate(): void } };
  };
  if (transport.name === 'websocket' && transport.socket) transport.socket.terminate();
  else connection.close(true);
}
