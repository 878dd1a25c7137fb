import type { Namespace } from 'socket.io';
import { hasExpired, identityOf } from './identity.ts';

/** Milliseconds from one look to the next: a token is used so much longer than it says. */
const lookEveryMs = 10_000;

/**
 * Closes the transport of connections whose token has ended. Their clients come back by themselves and are asked
 * for a token anew: who has one goes on without having missed anything.
 *
 * @returns ends it
 */
export function closeExpired(namespaces: readonly Namespace[], everyMs = lookEveryMs): () => void {
  const timer = setInterval(() => {
    const now = Date.now();
    for (const namespace of namespaces) {
      for (const socket of namespace.sockets.values()) {
        if (hasExpired(identityOf(socket), now)) socket.conn.close();
      }
    }
  }, everyMs).unref();
  return () => clearInterval(timer);
}
