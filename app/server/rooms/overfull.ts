import type { Socket } from 'socket.io';

/**
 * Ends the connection of a client that does not read what it is sent: it comes back and recovers from the
 * log. `terminate()` and not `disconnect()`: a closing handshake would wait behind what the client does not
 * read, and keep the memory that this is to free.
 */
export function dropOverfull(member: Socket): void {
  const { transport } = member.conn as unknown as {
    transport: { name: string; socket?: { terminate(): void } };
  };
  if (transport.name === 'websocket' && transport.socket) transport.socket.terminate();
  else member.conn.close(true);
}
