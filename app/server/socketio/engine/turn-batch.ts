import type { Socket as TcpSocket } from 'node:net';

/** What is held back in this turn. */
let held: TcpSocket[] = [];

/**
 * Holds back what is written to a socket until the end of this turn of the event loop: all of it then is one system
 * call, and each would cost more than most of what is done for a client.
 */
export function batchTurn(tcp: TcpSocket): void {
  // Whoever holds it back already lets go of it in this turn.
  if (tcp.writableCorked > 0) return;
  tcp.cork();
  if (held.length === 0) setImmediate(endTurn);
  held.push(tcp);
}

function endTurn(): void {
  const sockets = held;
  held = [];
  for (const tcp of sockets) tcp.uncork();
}
